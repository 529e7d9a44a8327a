'use strict';

const resources = require('./resources');
const { Transport } = require('./transport');

/** The client: one object per resource. Options are described in index.d.ts. */
class PaymentEngine {
  constructor(options) {
    const transport = new Transport(options ?? {});
    this.transactions = new resources.Transactions(transport);
    this.refunds = new resources.Refunds(transport);
    this.accounts = new resources.Accounts(transport);
    this.paymentTypes = new resources.PaymentTypes(transport);
    this.banks = new resources.Banks(transport);
    this.settlements = new resources.Settlements(transport);
    this.webhookEndpoints = new resources.WebhookEndpoints(transport);
    this.webhookDeliveries = new resources.WebhookDeliveries(transport);
  }
}

module.exports = { PaymentEngine };
