'use strict';

// Checking that a webhook is ours, on the raw body, before it is parsed. Every delivery carries two signatures over the same bytes.

const { createHmac, timingSafeEqual } = require('node:crypto');
const { WebhookVerificationError } = require('./errors');
const { parse } = require('./json');

const STANDARD = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];

/**
 * The event, once its signature is right. The Standard Webhooks headers decide, and refuse a time more than `tolerance` seconds off. Where
 * a proxy has dropped all three, X-Webhook-Signature decides; it proves who sent the body, not when: keep the event ids you have handled.
 */
function verifyWebhook(payload, headers, secret, { tolerance = 300, now = Date.now() / 1000, amounts = 'number' } = {}) {
  const body = bytes(payload);
  const entries = typeof headers?.entries === 'function' ? [...headers.entries()] : Object.entries(headers ?? {});
  const given = Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), String(value)]));
  if (STANDARD.some((name) => name in given)) {
    verifyStandard(body, given, secret, tolerance, now);
  } else if (!verifyWebhookSignature(body, given['x-webhook-signature'], secret)) {
    throw new WebhookVerificationError('X-Webhook-Signature is missing or does not match');
  }
  try {
    return parse(body.toString('utf8'), amounts);
  } catch (error) {
    throw error instanceof SyntaxError ? new WebhookVerificationError('the body is not JSON', error) : error;
  }
}

/** Whether X-Webhook-Signature (`sha256=<hex>`, keyed with the whole secret string) is right. */
function verifyWebhookSignature(payload, signature, secret) {
  return same(`sha256=${createHmac('sha256', secret).update(bytes(payload)).digest('hex')}`, signature ?? '');
}

function verifyStandard(body, given, secret, tolerance, now) {
  const [id, sentAt, signatures] = STANDARD.map((name) => given[name] ?? '');
  if (!/^[0-9]+$/.test(sentAt) || Math.abs(now - Number(sentAt)) > tolerance) {
    throw new WebhookVerificationError(`webhook-timestamp is not within ${tolerance} seconds of now`);
  }
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${sentAt}.`).update(body).digest('base64');
  if (!signatures.split(' ').some((signature) => same(`v1,${expected}`, signature))) {
    throw new WebhookVerificationError('webhook-signature is missing or does not match');
  }
}

function bytes(payload) {
  return typeof payload === 'string' ? Buffer.from(payload, 'utf8') : Buffer.from(payload);
}

function same(expected, given) {
  const [left, right] = [Buffer.from(expected), Buffer.from(given)];
  return left.length === right.length && timingSafeEqual(left, right);
}

module.exports = { verifyWebhook, verifyWebhookSignature };
