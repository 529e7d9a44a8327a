'use strict';

// The routes of the API by resource. Lists are async iterables that fetch their pages as they are walked.

const { checkAmount } = require('./json');
const { given } = require('./transport');

const path = (...parts) => parts.map((part) => `/${encodeURIComponent(part)}`).join('');

class Resource {
  constructor(transport) {
    Object.defineProperty(this, 'transport', { value: transport }); // not enumerable: stays out of logs
  }

  async *pages(route, query = {}) {
    let cursor;
    do {
      const page = await this.transport.get(route, { ...query, cursor });
      yield* page.data;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }
}

class Transactions extends Resource {
  async create(request, options) {
    checkAmount(request.amount);
    return this.transport.post('/transactions', given(request), options);
  }

  get(id) {
    return this.transport.get(path('transactions', id));
  }

  getStatus(id) {
    return this.transport.get(path('transactions', id, 'status'));
  }

  list(filters = {}) {
    const query = Object.entries({ limit: 100, ...filters }).map(([name, value]) => [name, queryText(value)]);
    return this.pages('/transactions', Object.fromEntries(query));
  }

  events(id) {
    return this.pages(path('transactions', id, 'events'));
  }

  money(id) {
    return this.transport.get(path('transactions', id, 'money'));
  }

  async capture(id, { amount, final } = {}, options) {
    if (amount !== undefined) checkAmount(amount);
    return this.transport.post(path('transactions', id, 'capture'), given({ amount, final }), options);
  }

  cancel(id, options) {
    return this.transport.post(path('transactions', id, 'cancel'), {}, options);
  }

  async refund(id, { amount, reason }, options) {
    if (amount !== undefined) checkAmount(amount);
    return this.transport.post(path('transactions', id, 'refunds'), given({ amount, reason }), options);
  }

  refunds(id) {
    return this.pages(path('transactions', id, 'refunds'));
  }
}

class Refunds extends Resource {
  get(id) {
    return this.transport.get(path('refunds', id));
  }
}

class Accounts extends Resource {
  list() {
    return this.pages('/accounts');
  }

  get(id) {
    return this.transport.get(path('accounts', id));
  }

  getBalance(id, { at } = {}) {
    return this.transport.get(path('accounts', id, 'balance'), { at: queryText(at) });
  }

  entries(id) {
    return this.pages(path('accounts', id, 'entries'));
  }
}

class PaymentTypes extends Resource {
  list() {
    return this.pages('/payment-types');
  }
}

class Banks extends Resource {
  list(paymentTypeId) {
    return this.pages('/banks', { paymentTypeId });
  }
}

class Settlements extends Resource {
  list(filters = {}) {
    const query = Object.entries({ limit: 100, ...filters }).map(([name, value]) => [name, queryText(value)]);
    return this.pages('/settlements', Object.fromEntries(query));
  }

  get(id) {
    return this.transport.get(path('settlements', id));
  }

  lines(id, { limit = 100 } = {}) {
    return this.pages(path('settlements', id, 'lines'), { limit });
  }
}

/** Creating an endpoint, a new secret and the test event are never repeated by themselves: no key protects them. */
class WebhookEndpoints extends Resource {
  create(endpoint) {
    return this.transport.postOnce('/webhook-endpoints', given(endpoint));
  }

  list() {
    return this.pages('/webhook-endpoints');
  }

  get(id) {
    return this.transport.get(path('webhook-endpoints', id));
  }

  update(id, changes) {
    return this.transport.patch(path('webhook-endpoints', id), given(changes));
  }

  delete(id) {
    return this.transport.delete(path('webhook-endpoints', id));
  }

  rotateSecret(id) {
    return this.transport.postOnce(path('webhook-endpoints', id, 'rotate-secret'));
  }

  test(id) {
    return this.transport.postOnce(path('webhook-endpoints', id, 'test'));
  }
}

class WebhookDeliveries extends Resource {
  list(filters = {}) {
    return this.pages('/webhook-deliveries', filters);
  }

  get(id) {
    return this.transport.get(path('webhook-deliveries', id));
  }

  replay(id) {
    return this.transport.postOnce(path('webhook-deliveries', id, 'replay'));
  }
}

function queryText(value) {
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? value.join(',') : value;
}

module.exports = {
  Transactions, Refunds, Accounts, PaymentTypes, Banks, Settlements, WebhookEndpoints, WebhookDeliveries,
};
