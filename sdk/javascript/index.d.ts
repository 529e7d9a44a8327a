/**
 * The client. Amounts in answers are numbers; with `new PaymentEngine<string>({ ..., amounts: 'string' })` they are exact decimal strings.
 */
declare class PaymentEngine<A extends number | string = number> {
  constructor(options: PaymentEngine.Options<A>);

  readonly transactions: {
    /** Accept a payment. Where a payer has to act, `nextAction` says how. */
    create(request: PaymentEngine.CreateTransactionRequest, options?: PaymentEngine.RequestOptions): Promise<PaymentEngine.Transaction<A>>;
    get(transactionId: string): Promise<PaymentEngine.Transaction<A>>;
    getStatus(transactionId: string): Promise<PaymentEngine.TransactionStatus>;
    /** Newest first; walks over all pages, of `limit` each. */
    list(filters?: PaymentEngine.TransactionFilters): AsyncIterable<PaymentEngine.Transaction<A>>;
    /** The history, first event first. */
    events(transactionId: string): AsyncIterable<PaymentEngine.Event<A>>;
    /** Where its money is on the way to you, step by step. */
    money(transactionId: string): Promise<PaymentEngine.Money>;
    /** Take what was authorised, or part of it; `final: false` keeps the rest reserved for more captures. */
    capture(
      transactionId: string,
      capture?: { amount?: number | string; final?: boolean },
      options?: PaymentEngine.RequestOptions,
    ): Promise<PaymentEngine.Transaction<A>>;
    /** Void an authorisation, or end what is not paid. */
    cancel(transactionId: string, options?: PaymentEngine.RequestOptions): Promise<PaymentEngine.Transaction<A>>;
    /** Give back all that is left, or `amount` of it. */
    refund(
      transactionId: string,
      refund: { amount?: number | string; reason: string },
      options?: PaymentEngine.RequestOptions,
    ): Promise<PaymentEngine.Refund<A>>;
    refunds(transactionId: string): AsyncIterable<PaymentEngine.Refund<A>>;
  };

  readonly refunds: { get(refundId: string): Promise<PaymentEngine.Refund<A>> };

  readonly accounts: {
    list(): AsyncIterable<PaymentEngine.Account<A>>;
    get(accountId: string): Promise<PaymentEngine.Account<A>>;
    /** What can be spent and what is pending, now or at a past time. */
    getBalance(accountId: string, options?: { at?: Date | string }): Promise<PaymentEngine.Balance<A>>;
    /** Movements, newest first. */
    entries(accountId: string): AsyncIterable<PaymentEngine.Entry<A>>;
  };

  readonly paymentTypes: { list(): AsyncIterable<PaymentEngine.PaymentType> };
  readonly banks: { list(paymentTypeId: string): AsyncIterable<PaymentEngine.Bank> };

  /** What you are owed, period by period. */
  readonly settlements: {
    /** Newest first; walks over all pages, of `limit` each. */
    list(filters?: PaymentEngine.SettlementFilters): AsyncIterable<PaymentEngine.Settlement<A>>;
    get(settlementId: string): Promise<PaymentEngine.Settlement<A>>;
    /** What it consists of, newest first. */
    lines(settlementId: string, options?: { limit?: number }): AsyncIterable<PaymentEngine.SettlementLine<A>>;
  };

  /** Creating an endpoint, a new secret and the test event are never repeated by themselves: no idempotency key protects them. */
  readonly webhookEndpoints: {
    /** The answer has the `secret`, this once. */
    create(endpoint: { url: string; description?: string; eventTypes?: string[] }): Promise<PaymentEngine.WebhookEndpoint>;
    list(): AsyncIterable<PaymentEngine.WebhookEndpoint>;
    get(endpointId: string): Promise<PaymentEngine.WebhookEndpoint>;
    update(
      endpointId: string,
      changes: { url?: string; description?: string; eventTypes?: string[]; active?: boolean },
    ): Promise<PaymentEngine.WebhookEndpoint>;
    /** Deactivate it; its history stays. */
    delete(endpointId: string): Promise<void>;
    /** A new secret; the old one signs too for a day. */
    rotateSecret(endpointId: string): Promise<PaymentEngine.WebhookEndpoint>;
    /** Send a `webhook.test` event. */
    test(endpointId: string): Promise<PaymentEngine.WebhookDelivery>;
  };

  readonly webhookDeliveries: {
    list(filters?: {
      endpoint?: string;
      eventType?: string;
      state?: string;
      transactionId?: string;
    }): AsyncIterable<PaymentEngine.WebhookDelivery>;
    get(deliveryId: string): Promise<PaymentEngine.WebhookDelivery>;
    /** Send it again, under the same event id. */
    replay(deliveryId: string): Promise<PaymentEngine.WebhookDelivery>;
  };
}

declare namespace PaymentEngine {
  interface Options<A extends number | string = number> {
    apiKey: string;
    baseUrl: string;
    /** Milliseconds for each try; default 30,000. */
    timeout?: number;
    /** Tries after the first; default 3. */
    retries?: number;
    /** Milliseconds before the second try, doubled before each further one; default 1,000. */
    retryDelay?: number;
    /** What amounts in answers are; default 'number'. */
    amounts?: A extends string ? 'string' : 'number';
    /** Before each try. The API key is not shown. */
    onRequest?: (config: RequestInfo) => void;
    /** After each answer. */
    onResponse?: (response: ResponseInfo) => void;
    /** When a call fails for good. A hook that throws becomes a process warning. */
    onError?: (error: Error) => void;
  }

  interface RequestInfo {
    method: string;
    url: string;
    headers: Record<string, string>;
    body?: unknown;
    attempt: number;
  }

  interface ResponseInfo {
    method: string;
    url: string;
    status: number;
    headers: Record<string, string>;
    attempt: number;
  }

  interface RequestOptions {
    /** Your own key; without one each call makes its own, the same on every try. */
    idempotencyKey?: string;
  }

  interface CreateTransactionRequest {
    /** Left out, with a returnUrl: the payer chooses on our page. */
    paymentTypeId?: string;
    /** A number of at most 15 digits, or an exact string such as '100.50'. */
    amount: number | string;
    currencyCode?: string;
    fromAccountId?: string;
    toAccountId?: string;
    description?: string;
    externalReference?: string;
    metadata?: Record<string, unknown>;
    returnUrl?: string;
    bankCode?: string;
    customer?: { name?: string; email?: string; phone?: string };
    capture?: 'automatic' | 'manual';
  }

  interface TransactionFilters {
    status?: Status | Status[];
    paymentTypeId?: string;
    externalReference?: string;
    currencyCode?: string;
    amountMin?: number | string;
    amountMax?: number | string;
    createdFrom?: Date | string;
    createdTo?: Date | string;
    limit?: number;
  }

  type Status =
    | 'PENDING'
    | 'PROCESSING'
    | 'AUTHORIZED'
    | 'COMPLETED'
    | 'PARTIALLY_REFUNDED'
    | 'REFUNDED'
    | 'FAILED'
    | 'CANCELLED'
    | 'EXPIRED';

  type NextAction =
    | { type: 'redirect'; method: 'GET' | 'POST'; url: string; fields: Record<string, string> }
    | { type: 'display_qr'; payload: string; image: string; expiresAt: string };

  interface Payment<A = number> {
    id: string;
    attempt: number;
    paymentTypeId: string;
    status: string;
    paymentTransId: string;
    amount: A;
    bankCode: string | null;
    approvalCode: string | null;
    bankReference: string | null;
    failureCode: string | null;
    failureReason: string | null;
    createdAt: string;
    paidAt: string | null;
  }

  interface Transaction<A = number> {
    id: string;
    status: Status;
    fromAccountId: string | null;
    toAccountId: string | null;
    paymentTypeId: string | null;
    amount: A;
    amountCaptured: A;
    amountRefunded: A;
    currencyCode: string;
    description: string | null;
    externalReference: string | null;
    metadata: Record<string, unknown>;
    failureCode: string | null;
    failureReason: string | null;
    nextAction: NextAction | null;
    payments: Payment<A>[];
    createdAt: string;
    updatedAt: string;
    expiresAt: string | null;
  }

  interface TransactionStatus {
    id: string;
    status: Status;
    externalReference: string | null;
    failureCode: string | null;
    failureReason: string | null;
    updatedAt: string;
  }

  interface Refund<A = number> {
    id: string;
    transactionId: string;
    status: string;
    amount: A;
    currencyCode: string;
    reason: string;
    failureCode: string | null;
    failureReason: string | null;
    createdAt: string;
    updatedAt: string;
    completedAt: string | null;
  }

  interface Event<A = number> {
    eventId: string;
    eventType: string;
    createdAt: string;
    sequence: number;
    data: {
      transactionId?: string;
      transactionReference?: string | null;
      externalReference?: string | null;
      status?: string;
      amount?: A;
      currencyCode?: string;
      [name: string]: unknown;
    };
  }

  interface Account<A = number> {
    id: string;
    name: string;
    status: string;
    currencyCode: string;
    availableBalance: A;
    pendingBalance: A;
    createdAt: string;
  }

  interface Balance<A = number> {
    accountId: string;
    availableBalance: A;
    pendingBalance: A;
    currencyCode: string;
    asOf: string;
  }

  interface Entry<A = number> {
    id: string;
    type: string;
    amount: A;
    currencyCode: string;
    transactionId: string | null;
    externalReference: string | null;
    description: string | null;
    createdAt: string;
  }

  interface PaymentType {
    id: string;
    name: string;
    currencies: string[];
    capture: string[];
    banks: { total: number; online: number } | null;
  }

  interface Bank {
    code: string;
    name: string;
    status: 'ONLINE' | 'OFFLINE';
    businessBanking: boolean;
    refreshedAt: string;
  }

  interface SettlementFilters {
    status?: string | string[];
    currencyCode?: string;
    /** Closing days, both included: '2026-03-02'. */
    dateFrom?: string;
    dateTo?: string;
    limit?: number;
  }

  type Step = 'CAPTURED' | 'ON_STATEMENT' | 'AT_BANK' | 'SETTLED' | 'PAID_OUT';

  interface Money {
    transactionId: string;
    /** The first step that is missing; null when none is. */
    stage: Step | null;
    daysLate: number;
    steps: {
      step: Step;
      /** The day on which it was proven; null while it is not. */
      doneOn: string | null;
      /** The day by which it should be; null once it is proven. */
      expectedBy: string | null;
      daysLate: number;
      /** Of the settlement or the payout. */
      id: string | null;
      /** Of the payout, as your bank shows it. */
      reference: string | null;
    }[];
  }

  interface Settlement<A = number> {
    id: string;
    status: 'CREATED' | 'CARRIED' | 'PAYOUT_PENDING' | 'PAID' | 'RETURNED';
    currencyCode: string;
    /** The closing day in your time zone. */
    date: string;
    periodFrom: string;
    periodTo: string;
    payOn: string;
    lineCount: number;
    gross: A;
    refunds: A;
    disputes: A;
    fees: A;
    feeParts: { percentage: A; fixed: A; limits: A; other: A };
    reserveHeld: A;
    reserveReleased: A;
    reserveReleaseOn: string | null;
    adjustments: A;
    carriedOver: A;
    /** The net. */
    amount: A;
    /** How it is paid, once that is decided. `reference` is what your bank's statement shows. */
    payout: { id: string; status: 'APPROVED' | 'SENT' | 'PAID' | 'RETURNED'; paidAt: string | null; reference: string } | null;
    createdAt: string;
    updatedAt: string;
  }

  interface SettlementLine<A = number> {
    id: string;
    type: 'PAYMENT' | 'REFUND' | 'DISPUTE' | 'ADJUSTMENT';
    transactionId: string | null;
    externalReference: string | null;
    paymentTypeId: string | null;
    gross: A;
    refunds: A;
    disputes: A;
    fees: A;
    adjustments: A;
    amount: A;
    currencyCode: string;
    bookedAt: string;
  }

  interface WebhookEndpoint {
    id: string;
    url: string;
    description: string;
    eventTypes: string[];
    active: boolean;
    disabledAt: string | null;
    disabledReason: string | null;
    failingSince: string | null;
    previousSecretUntil: string | null;
    createdAt: string;
    updatedAt: string;
    /** In the answer that made it, and never again. */
    secret?: string;
  }

  interface WebhookDelivery {
    id: string;
    endpointId: string;
    eventId: string;
    eventType: string;
    transactionId: string | null;
    sequence: number;
    state: string;
    attemptCount: number;
    nextAttemptAt: string | null;
    deliveredAt: string | null;
    createdAt: string;
  }

  /** `code` is stable; `status` is undefined if there was no answer. Repeat with `idempotencyKey` when you cannot know what happened. */
  class PaymentEngineError extends Error {
    readonly code: string;
    readonly status?: number;
    readonly details: Record<string, unknown>;
    readonly requestId?: string;
    readonly idempotencyKey?: string;
    /** Seconds. */
    readonly retryAfter?: number;
  }

  class WebhookVerificationError extends PaymentEngineError {}

  type WebhookHeaders = Record<string, string | string[] | undefined> | { entries(): IterableIterator<[string, string]> };

  /** The event of a delivery, from its raw body. Throws WebhookVerificationError. `tolerance` and `now` in seconds. */
  function verifyWebhook<A extends number | string = number>(
    payload: string | Uint8Array,
    headers: WebhookHeaders,
    secret: string,
    options?: { tolerance?: number; now?: number; amounts?: A extends string ? 'string' : 'number' },
  ): Event<A>;

  /** Whether the X-Webhook-Signature header (`sha256=<hex>`) is right. */
  function verifyWebhookSignature(payload: string | Uint8Array, signature: string | undefined, secret: string): boolean;
}

export = PaymentEngine;
