import PaymentEngine = require('./index.js');

export default PaymentEngine;
export import PaymentEngineError = PaymentEngine.PaymentEngineError;
export import WebhookVerificationError = PaymentEngine.WebhookVerificationError;
export import verifyWebhook = PaymentEngine.verifyWebhook;
export import verifyWebhookSignature = PaymentEngine.verifyWebhookSignature;
