import PaymentEngine from './index.js';

export default PaymentEngine;
export const { PaymentEngineError, WebhookVerificationError, verifyWebhook, verifyWebhookSignature } = PaymentEngine;
