import { equalBytes, fromHex } from '@ensconce/base/bytes';
import type { CryptoProvider } from '@ensconce/x509/crypto';
import type { TpmHash } from '@ensconce/evidence/tpm/body';
import type { LogEvent } from '@ensconce/evidence/event-log';
import { replay, type Extension } from '../replay.ts';

const noAction = 3;
const localitySignature = 'StartupLocality\0';
const text = new TextDecoder('latin1');

/** From which locality the firmware started the TPM: PCR 0 begins with it (TCG PC Client Platform Firmware Profile §10.4.5.3). */
function startupLocality(events: readonly LogEvent[]): number {
  const event = events.find(
    ({ type, data }) => type === noAction && text.decode(data.subarray(0, 16)) === localitySignature,
  );
  return event?.data[16] ?? 0;
}

/** The extensions of one bank, in the order of the log. */
export function pcrExtensions(events: readonly LogEvent[], bank: TpmHash): Extension[] {
  return events.flatMap((event) => {
    const digest = event.digests.get(bank);
    return event.type === noAction || digest === undefined ? [] : [{ index: event.index, digest }];
  });
}

/**
 * Which PCRs a log names, and which of them it does not explain: only a log whose replay gives the quoted values says what was measured. PCRs that
 * the log does not name were left alone by the firmware or extended later.
 */
export async function replayPcrs(
  crypto: CryptoProvider,
  bank: TpmHash,
  events: readonly LogEvent[],
  pcrs: Readonly<Record<string, string>>,
): Promise<{ readonly logged: readonly number[]; readonly unexplained: readonly number[] }> {
  const registers = await replay(crypto, bank, pcrExtensions(events, bank), startupLocality(events));
  const quoted = [...registers.keys()].filter((index) => pcrs[index] !== undefined).sort((a, b) => a - b);
  const unexplained = quoted.filter(
    (index) => !equalBytes(registers.get(index) as Uint8Array, fromHex(pcrs[index] as string)),
  );
  return { logged: quoted, unexplained };
}
