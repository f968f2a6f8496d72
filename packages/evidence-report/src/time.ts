import { EvidenceReportError } from './errors.ts';

/** `--at`: ISO 8601, or seconds since 1970. */
export function parseTime(text: string): Date {
  const date = /^\d{1,12}$/.test(text)
    ? new Date(Number(text) * 1000)
    : /^\d{4}-\d{2}-\d{2}(?:[T ][0-9:.]+(?:Z|[+-]\d{2}:?\d{2})?)?$/.test(text)
      ? new Date(text.replace(' ', 'T'))
      : new Date(Number.NaN);
  if (Number.isNaN(date.getTime())) {
    throw new EvidenceReportError(
      'EVIDENCE_TIME',
      `--at: a time such as 2026-01-31T12:00:00Z or seconds since 1970 expected, "${text}" found`,
    );
  }
  return date;
}
