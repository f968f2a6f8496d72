import { X509Error } from './errors.ts';
import { tags, type DerReader } from './der.ts';

const forms = {
  [tags.utcTime]: /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/,
  [tags.generalizedTime]: /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/,
} as const;

/** UTCTime or GeneralizedTime in the forms of RFC 5280 §4.1.2.5, as milliseconds since 1970. */
export function readTime(reader: DerReader, name: string): number {
  const element = reader.next(undefined, name);
  const text = String.fromCharCode(...element.content.subarray(0, 16));
  const match =
    element.tag === tags.utcTime || element.tag === tags.generalizedTime
      ? forms[element.tag].exec(text)
      : null;
  if (match === null || element.content.length > 15)
    throw new X509Error(
      'X509_STRUCTURE',
      `${name}: a time in UTC expected, tag 0x${element.tag.toString(16)} found`,
    );
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const full = element.tag === tags.utcTime ? (year < 50 ? 2000 + year : 1900 + year) : year;
  const date = new Date(0);
  date.setUTCFullYear(full, month - 1, day);
  date.setUTCHours(hour, minute, second);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || date.getUTCHours() !== hour)
    throw new X509Error('X509_STRUCTURE', `${name}: a day of the calendar expected, ${text} found`);
  return date.getTime();
}

/** True where `text` of a peeked tag begins a time. */
export function isTimeTag(tag: number | undefined): boolean {
  return tag === tags.utcTime || tag === tags.generalizedTime;
}
