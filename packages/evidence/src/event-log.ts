import { ByteReader } from '@ensconce/base/bytes';
import { EvidenceError, reading } from './errors.ts';
import { hashOf, type TpmHash } from './tpm/body.ts';

/** One event of a TCG crypto-agile log (TCG PC Client Platform Firmware Profile §10.2). */
export interface LogEvent {
  /** PCR of a TPM; in a CC event log of a TD: 0 is MRTD, 1 to 4 are RTMR 0 to 3. */
  readonly index: number;
  readonly type: number;
  readonly digests: ReadonlyMap<TpmHash, Uint8Array>;
  readonly data: Uint8Array;
}

/** Bytes; firmware reserves 64 KiB, large ones some hundred. */
export const eventLogLimit = 4 * 1024 * 1024;
const eventLimit = 65_536;
const noAction = 3;

function readDigests(reader: ByteReader): Map<TpmHash, Uint8Array> {
  const count = reader.u32('digest count');
  if (count > 8)
    throw new EvidenceError('EVIDENCE_SIZE', `event log: at most 8 digests expected, ${count} found`);
  const digests = new Map<TpmHash, Uint8Array>();
  for (let i = 0; i < count; i++) {
    const { name, size } = hashOf(reader.u16('digest algorithm'), 'event log');
    digests.set(name, reader.bytes(size, 'digest'));
  }
  return digests;
}

/** The first event is in the old format and names the specification. */
function readStart(reader: ByteReader): void {
  reader.u32('PCR index');
  const type = reader.u32('event type');
  reader.bytes(20, 'SHA-1 digest');
  const data = reader.bytes(reader.u32('event size'), 'event');
  const signature = new TextDecoder('latin1').decode(data.subarray(0, 15));
  if (type !== noAction || signature !== 'Spec ID Event03')
    throw new EvidenceError(
      'EVIDENCE_UNSUPPORTED',
      'event log: a crypto-agile log (Spec ID Event03) expected, another found',
    );
}

/** Parses an attacker-controlled log; padding of 0xff or zero bytes behind the last event is left out. */
export function parseEventLog(bytes: Uint8Array): LogEvent[] {
  if (bytes.length > eventLogLimit)
    throw new EvidenceError(
      'EVIDENCE_SIZE',
      `event log: at most ${eventLogLimit} bytes expected, ${bytes.length} found`,
    );
  return reading(() => {
    const reader = new ByteReader(bytes, 'event log');
    readStart(reader);
    const events: LogEvent[] = [];
    while (reader.remaining >= 8) {
      const index = reader.u32('index');
      const type = reader.u32('event type');
      if (index === 0xffff_ffff || (index === 0 && type === 0)) return events;
      if (events.length === eventLimit)
        throw new EvidenceError(
          'EVIDENCE_SIZE',
          `event log: at most ${eventLimit} events expected, more found`,
        );
      const digests = readDigests(reader);
      events.push({ index, type, digests, data: reader.bytes(reader.u32('event size'), 'event') });
    }
    return events;
  });
}
