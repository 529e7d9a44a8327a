'use strict';

// One request over HTTPS, repeated when that is safe and may help. Safe is what the server executes once however often it arrives: reads,
// and what carries an Idempotency-Key, the same over all tries. It may help after 429, 500, 502, 503, 504 and when no answer came.

const { randomUUID } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');
const { PaymentEngineError } = require('./errors');
const { parse } = require('./json');

const RETRIED = new Set([429, 500, 502, 503, 504]);
const MAX_WAIT_MS = 60_000; // a longer Retry-After is for the caller to decide about

class Transport {
  #apiKey;
  #base;
  #options;

  constructor({ apiKey, baseUrl, ...options }) {
    if (typeof apiKey !== 'string' || apiKey === '') throw new TypeError('apiKey is missing');
    if (typeof baseUrl !== 'string' || baseUrl === '') throw new TypeError('baseUrl is missing');
    this.#apiKey = apiKey;
    this.#base = `${baseUrl.replace(/\/+$/, '')}/api/v1`;
    this.#options = { timeout: 30_000, retries: 3, retryDelay: 1000, amounts: 'number', ...given(options) };
  }

  get(path, query = {}) {
    const text = new URLSearchParams(given(query)).toString();
    return this.#finish({ method: 'GET', path: text ? `${path}?${text}` : path, safe: true });
  }

  /** A POST that is executed once per key; without one a key of its own is made. */
  post(path, body, { idempotencyKey = randomUUID() } = {}) {
    return this.#finish({ method: 'POST', path, body, key: idempotencyKey, safe: true });
  }

  /** A POST to a route that keeps no keys: never repeated. */
  postOnce(path, body) {
    return this.#finish({ method: 'POST', path, body, safe: false });
  }

  patch(path, body) {
    return this.#finish({ method: 'PATCH', path, body, safe: true });
  }

  delete(path) {
    return this.#finish({ method: 'DELETE', path, safe: true });
  }

  async #finish(request) {
    try {
      return await this.#send(request);
    } catch (error) {
      this.#tell('onError', error);
      throw error;
    }
  }

  async #send({ method, path, body, key, safe }) {
    const { retries, retryDelay } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      const last = attempt >= retries || !safe;
      let wait = retryDelay * 2 ** attempt;
      try {
        const response = await this.#once({ method, path, body, key, attempt });
        const asked = retryAfter(response.headers['retry-after']);
        if (!RETRIED.has(response.status) || last || asked > MAX_WAIT_MS) {
          return this.#content(response, key, asked);
        }
        wait = asked ?? wait;
      } catch (error) {
        if (error instanceof PaymentEngineError) throw error;
        if (last) {
          const message = `no answer from the server: ${error.cause?.message || error.message}`;
          throw new PaymentEngineError(message, { code: 'CONNECTION_FAILED', idempotencyKey: key, cause: error });
        }
      }
      await sleep(wait);
    }
  }

  /** One try: {status, headers, text}. */
  async #once({ method, path, body, key, attempt }) {
    const url = this.#base + path;
    const headers = { Accept: 'application/json', 'User-Agent': 'payment-engine-sdk-javascript/1.0.0' };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (key !== undefined) headers['Idempotency-Key'] = key;
    this.#tell('onRequest', { method, url, headers: { ...headers }, body, attempt });
    const response = await fetch(url, {
      method,
      headers: { ...headers, 'X-API-Key': this.#apiKey },
      body: body === undefined ? undefined : JSON.stringify(body),
      redirect: 'manual', // the key goes to no other server
      signal: AbortSignal.timeout(this.#options.timeout),
    });
    const answer = { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
    this.#tell('onResponse', { method, url, status: answer.status, headers: { ...answer.headers }, attempt });
    return answer;
  }

  #content({ status, headers, text }, key, asked) {
    if (status === 204) return undefined;
    let content;
    try {
      content = parse(text, this.#options.amounts);
    } catch (error) {
      if (error instanceof PaymentEngineError) throw error;
    }
    if (status >= 200 && status < 300 && content !== null && typeof content === 'object') return content;
    const error = content?.error ?? {};
    throw new PaymentEngineError(error.message ?? `HTTP ${status} without an answer that can be read`, {
      code: error.code ?? 'UNREADABLE_RESPONSE',
      status,
      details: error.details,
      requestId: error.requestId ?? headers['x-request-id'],
      idempotencyKey: key,
      retryAfter: asked === undefined ? undefined : asked / 1000,
    });
  }

  /** A hook that throws is a warning: it may not decide about money. */
  #tell(hook, about) {
    try {
      this.#options[hook]?.(about);
    } catch (error) {
      process.emitWarning(`${hook} failed: ${error?.message ?? error}`);
    }
  }
}

/** Milliseconds that a Retry-After header asks for; undefined if there is none that can be read. */
function retryAfter(header, now = Date.now()) {
  if (header === undefined) return undefined;
  if (/^[0-9]+$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** Without what is undefined or null. */
function given(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));
}

module.exports = { Transport, given };
