import { toHex } from '@ensconce/base/bytes';
import type { CryptoProvider } from '@ensconce/x509/crypto';
import { parseEventLog, type LogEvent } from '@ensconce/evidence/event-log';
import type { Packaged } from '@ensconce/evidence/packaging';
import { replay, type Extension } from '../replay.ts';
import type { TdxClaims } from './claims.ts';

const noAction = 3;

/** The SHA-384 extensions of RTMR 0 to 3 in a CC event log; index 0 there is MRTD. */
export function rtmrExtensions(events: readonly LogEvent[]): Extension[] {
  return events.flatMap((event) => {
    const digest = event.digests.get('sha384');
    return event.type === noAction || event.index < 1 || event.index > 4 || digest === undefined
      ? []
      : [{ index: event.index - 1, digest }];
  });
}

/** The extensions in the log that came with a quote; undefined where none came. Throws `EvidenceError` on a firmware's log that cannot be read. */
export async function packagedExtensions(
  crypto: CryptoProvider,
  { eventLog }: Packaged,
): Promise<Extension[] | undefined> {
  if (eventLog === undefined) return undefined;
  if (eventLog instanceof Uint8Array) return rtmrExtensions(parseEventLog(eventLog));
  const extensions = eventLog.map(async (event) => ({
    index: event.index,
    digest: 'digest' in event ? event.digest : await crypto.sha384(event.preimage),
  }));
  return Promise.all(extensions);
}

/**
 * Which RTMRs (0 to 3) of genuine claims a log does not explain; empty where it explains all of them. Only then do its events say what was
 * measured: the log itself is the host's word.
 */
export async function unexplainedRtmrs(
  crypto: CryptoProvider,
  claims: TdxClaims,
  extensions: readonly Extension[],
): Promise<number[]> {
  const registers = await replay(crypto, 'sha384', extensions);
  const found = [claims.rtmr0, claims.rtmr1, claims.rtmr2, claims.rtmr3];
  return found.flatMap((value, index) => {
    const replayed = registers.get(index);
    return (replayed === undefined ? '0'.repeat(96) : toHex(replayed)) === value ? [] : [index];
  });
}
