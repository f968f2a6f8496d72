import { Buffer } from 'node:buffer';
import { brokenTar } from './tar-header.ts';

/** The records of a PAX extended header (POSIX.1-2001), in order; values are bytes. Later ones count. */
export type PaxRecords = readonly (readonly [key: string, value: Uint8Array])[];

/** Reads `LENGTH KEY=VALUE\n` records from untrusted bytes. Keys are taken as latin-1. */
export function parsePax(bytes: Uint8Array): PaxRecords {
  const records: [string, Uint8Array][] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const digits = Buffer.from(bytes.subarray(at, Math.min(space, at + 11))).toString('latin1');
    const end = at + Number(digits);
    const equals = bytes.indexOf(0x3d, space);
    if (
      space < 0 ||
      !/^[0-9]{1,10}$/.test(digits) ||
      end > bytes.length ||
      equals < 0 ||
      equals >= end ||
      bytes[end - 1] !== 0x0a
    )
      throw brokenTar(`a PAX record expected at byte ${at} of its header, something else found`);
    records.push([
      Buffer.from(bytes.subarray(space + 1, equals)).toString('latin1'),
      bytes.slice(equals + 1, end - 1),
    ]);
    at = end;
  }
  return records;
}

export function paxInteger(value: Uint8Array, key: string): number {
  const digits = Buffer.from(value).toString('latin1');
  const number = Number(digits);
  if (!/^[0-9]{1,16}$/.test(digits) || !Number.isSafeInteger(number))
    throw brokenTar(`PAX ${key}: an integer expected, ${JSON.stringify(digits.slice(0, 40))} found`);
  return number;
}

/** `-1.5` is two seconds before 1970 and half a second after that. */
export function paxTime(value: Uint8Array): { seconds: number; nanoseconds: number } {
  const digits = Buffer.from(value).toString('latin1');
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(digits);
  if (match === null)
    throw brokenTar(`PAX mtime: a decimal number expected, ${JSON.stringify(digits.slice(0, 40))} found`);
  const seconds = Number(match[2]);
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] === '') return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: 0 - seconds, nanoseconds: 0 }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}
