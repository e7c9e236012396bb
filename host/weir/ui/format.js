// Figures as people read them. Money is exact text from the server; it is only shortened here.

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** A count with separators. */
export const count = (value) => (value === null || value === undefined ? "–" : whole.format(value));

/** A count in short: 12.4K. */
export const brief = (value) => (value === null || value === undefined ? "–" : short.format(value));

/** Dollars from nano-dollars, with as many digits as matter. */
export function dollars(nano) {
  if (nano === null || nano === undefined) return "–";
  const amount = Number(nano) / 1e9;
  const size = Math.abs(amount);
  if (size === 0) return "$0.00";
  if (size >= 0.995) return `$${amount.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  if (size >= 0.0001) return `$${amount.toFixed(4)}`;
  return `$${amount.toPrecision(2)}`;
}

/** A duration from milliseconds. */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms === 0) return "0 ms";
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** A duration from microseconds. */
export const micros = (us) => (us === null || us === undefined ? "–" : duration(us / 1000));

/** Bytes. */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1024) return `${value} B`;
  if (value < 1024 ** 2) return `${(value / 1024).toFixed(1)} KiB`;
  if (value < 1024 ** 3) return `${(value / 1024 ** 2).toFixed(1)} MiB`;
  return `${(value / 1024 ** 3).toFixed(1)} GiB`;
}

/** A share as a percentage. */
export function share(part, all) {
  if (!all) return "–";
  if (!part) return "0 %";
  const percent = (100 * part) / all;
  return `${percent > 0 && percent < 0.1 ? "<0.1" : percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

/** A time of day with seconds, and the day unless it is today's. */
export function time(text, now) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return "–";
  const clock = at.toLocaleTimeString("en-GB");
  const isToday = at.toDateString() === new Date(now).toDateString();
  return isToday ? clock : `${day(at)} ${clock}`;
}

/** A day: 21 Nov 2026. */
export const day = (at) => new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** A whole time with its day and zone. */
export const whole_time = (text) =>
  new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "long" });

/** How long ago, roughly. */
export function ago(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** The sums of tokens that went in and came out. */
export function tokens(buckets) {
  const sum = (names) => names.reduce((all, name) => all + (buckets?.[name] ?? 0), 0);
  return {
    input: sum(["input", "input_audio", "input_image", "cache_read", "cache_write", "cache_write_hour"]),
    output: sum(["output", "output_audio", "output_image", "reasoning"]),
    cached: sum(["cache_read"]),
  };
}

/** The start of a digest, which is enough to tell versions apart. */
export const digest = (text) => (text ? text.slice(0, 12) : "–");
