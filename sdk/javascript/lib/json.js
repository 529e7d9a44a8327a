'use strict';

// JSON whose amounts stay what was written. A JavaScript number holds 15 decimal digits and no more: what it would change is refused on
// the way out and on the way in, or kept as a string (option `amounts: 'string'`). Nothing is ever rounded.

const { PaymentEngineError } = require('./errors');

const AMOUNTS = new Set([
  'amount', 'amountCaptured', 'amountRefunded', 'availableBalance', 'pendingBalance', 'requestedAmount',
  'gross', 'refunds', 'disputes', 'fees', 'reserveHeld', 'reserveReleased', 'adjustments', 'carriedOver', // of settlements
  'percentage', 'fixed', 'limits', 'other', // of their fees
]);
const FREE = new Set(['metadata']); // the merchant's own: names mean nothing there
const NUMBER_OR_STRING = /"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/g;
const NUMBER = '\u0000'; // marks what was a number; the server lets no text have it

/** The object in `text`. Amounts are numbers, or strings if `amounts` is 'string'. Throws SyntaxError, PaymentEngineError. */
function parse(text, amounts = 'number') {
  JSON.parse(text); // refuses what is not JSON, before numbers are marked
  const marked = text.replace(NUMBER_OR_STRING, (token) => (token[0] === '"' ? token : `"\\u0000${token}"`));
  return restore(JSON.parse(marked), false, amounts);
}

function restore(value, isAmount, amounts) {
  if (typeof value === 'string') {
    return value[0] === NUMBER ? number(value.slice(1), isAmount, amounts) : value;
  }
  if (Array.isArray(value)) {
    return value.map((item) => restore(item, false, amounts));
  }
  if (value === null || typeof value !== 'object') {
    return value;
  }
  const kept = Object.entries(value).map(([name, item]) => [
    name,
    FREE.has(name) ? restore(item, false, 'number') : restore(item, AMOUNTS.has(name), amounts),
  ]);
  return Object.fromEntries(kept);
}

function number(literal, isAmount, amounts) {
  if (!isAmount) {
    return Number(literal);
  }
  if (amounts === 'string') {
    return literal;
  }
  if (digits(literal) > 15) {
    throw new PaymentEngineError(`the amount ${literal} does not fit a number; use the option amounts: 'string'`, {
      code: 'AMOUNT_NOT_EXACT',
    });
  }
  return Number(literal);
}

/** An amount as it is sent. Throws TypeError for a number that is not exactly what was meant. */
function checkAmount(amount) {
  const fine = typeof amount === 'string'
    ? /^[0-9]+(\.[0-9]+)?$/.test(amount)
    : typeof amount === 'number' && Number.isFinite(amount) && amount > 0 && digits(String(amount)) <= 15;
  if (!fine) {
    throw new TypeError(`${amount} is not an exact amount; send a number of at most 15 digits, or a string such as '100.50'`);
  }
}

/** How many digits matter: of 100.50 four. */
function digits(literal) {
  const plain = literal.includes('.') ? literal.replace(/0+$/, '') : literal;
  return /e/i.test(literal) ? Infinity : plain.replace('.', '').replace(/^-?0+/, '').length;
}

module.exports = { parse, checkAmount };
