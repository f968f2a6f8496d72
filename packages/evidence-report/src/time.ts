import { EvidenceReportError } from './errors.ts';

const iso = /^(\d{4}-\d{2}-\d{2})(?:[T ]([0-9:.]+)(Z|[+-]\d{2}:?\d{2})?)?$/;

/** `--at`: ISO 8601, in UTC where it names no zone, or seconds since 1970. */
export function parseTime(text: string): Date {
  const match = iso.exec(text);
  const date = /^\d{1,12}$/.test(text)
    ? new Date(Number(text) * 1000)
    : new Date(match === null ? Number.NaN : `${match[1]}T${match[2] ?? '00:00:00'}${match[3] ?? 'Z'}`);
  if (Number.isNaN(date.getTime())) {
    throw new EvidenceReportError(
      'EVIDENCE_TIME',
      `--at: a time such as 2026-01-31T12:00:00Z or seconds since 1970 expected, "${text}" found`,
      { hint: 'leave it out to judge as of now' },
    );
  }
  return date;
}
