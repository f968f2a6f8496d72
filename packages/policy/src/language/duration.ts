import { invalid, transform, type Form } from '../form/form.ts';
import { text } from '../form/scalar.ts';

const day = 86_400;
const units: Readonly<Record<string, number>> = {
  s: 1,
  sec: 1,
  secs: 1,
  second: 1,
  seconds: 1,
  m: 60,
  min: 60,
  mins: 60,
  minute: 60,
  minutes: 60,
  h: 3600,
  hr: 3600,
  hrs: 3600,
  hour: 3600,
  hours: 3600,
  d: day,
  day,
  days: day,
  w: 7 * day,
  week: 7 * day,
  weeks: 7 * day,
  month: 30 * day,
  months: 30 * day,
  y: 365 * day,
  year: 365 * day,
  years: 365 * day,
};
const maximum = 100 * 365 * day;

/** `90 days`, `24h`, `1d 12h`: seconds, at most 100 years. */
export const duration: Form<number> = transform(
  text({
    expected: 'a duration (90 days, 24h, 1d 12h)',
    pattern: /^(?:[0-9]{1,9} ?[A-Za-z]{1,8})(?:[ ,]*[0-9]{1,9} ?[A-Za-z]{1,8}){0,5}$/,
    maxLength: 100,
  }),
  (value, node, place) => {
    let seconds = 0;
    for (const [, count, unit] of value.matchAll(/([0-9]+) ?([A-Za-z]+)/g)) {
      const factor = Object.hasOwn(units, (unit ?? '').toLowerCase())
        ? units[(unit ?? '').toLowerCase()]
        : undefined;
      if (factor === undefined) {
        place.error(
          node.offset,
          `s, m, h, d, w, months or y as unit of a duration expected, \`${unit}\` found`,
        );
        return invalid;
      }
      seconds += Number(count) * factor;
    }
    if (seconds === 0 || seconds > maximum) {
      place.error(node.offset, 'a duration of 1 second to 100 years expected, another found');
      return invalid;
    }
    return seconds;
  },
);
