'use strict';

/**
 * What went wrong. `code` is stable; `status` is the HTTP status, undefined if there was no answer; `requestId` is what support asks for.
 * `idempotencyKey` is the key the request was sent under: repeat with it when you cannot know whether it was executed.
 */
class PaymentEngineError extends Error {
  constructor(message, { code, status, details = {}, requestId, idempotencyKey, retryAfter, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    Object.assign(this, { code, status, details, requestId, idempotencyKey, retryAfter });
  }
}

/** This delivery is not from us, was altered, or is too old. */
class WebhookVerificationError extends PaymentEngineError {
  constructor(message, cause) {
    super(message, { code: 'WEBHOOK_NOT_VERIFIED', cause });
  }
}

module.exports = { PaymentEngineError, WebhookVerificationError };
