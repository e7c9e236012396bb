// Parses when a provider may be called again.
import { header } from './model.js';

const DATE = /^\w+, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The wait that an answer's headers ask for: `retry-after-ms`, or `retry-after` in seconds or as a date. */
export function afterMs(headers, nowMs) {
  const exact = number(header(headers, 'retry-after-ms'));
  if (exact !== undefined) return whole(exact);
  const value = header(headers, 'retry-after')?.trim();
  const seconds = number(value);
  if (seconds !== undefined) return whole(seconds * 1000);
  const date = dateMs(value);
  return date === undefined ? undefined : whole(Math.max(date - nowMs, 0));
}

function number(value) {
  const found = value?.trim() ? Number(value) : NaN;
  return Number.isFinite(found) ? found : undefined;
}

const whole = (wait) => (wait >= 0 ? Math.min(Math.trunc(wait), 0xffffffff) : undefined);

/** Parses `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that HTTP still allows servers to send. */
function dateMs(value) {
  const found = DATE.exec(value ?? '');
  const month = found ? MONTHS.indexOf(found[2]) : -1;
  if (month < 0) return undefined;
  const [day, year, hour, minute, second] = [1, 3, 4, 5, 6].map((at) => Number(found[at]));
  return Date.UTC(year, month, day, hour, minute, second);
}
