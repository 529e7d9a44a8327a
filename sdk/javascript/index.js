'use strict';

const { PaymentEngine } = require('./lib/client');
const { PaymentEngineError, WebhookVerificationError } = require('./lib/errors');
const { verifyWebhook, verifyWebhookSignature } = require('./lib/webhooks');

module.exports = PaymentEngine;
Object.assign(module.exports, {
  PaymentEngineError,
  WebhookVerificationError,
  verifyWebhook,
  verifyWebhookSignature,
});
