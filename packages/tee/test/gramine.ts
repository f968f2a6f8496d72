import { utf8 } from '@ensconce/base/bytes';
import { errno } from '@ensconce/fuse/errno';
import { folder, Refusal, type KernelFolder } from './kernel-tree.ts';
import type { Remaining } from './tsm-folder.ts';

/** `/dev/attestation` as a program finds it that Gramine runs. */
export function gramineFolder(
  makeQuote: (reportData: Uint8Array) => Uint8Array,
  remaining: Remaining,
): KernelFolder {
  let reportData = new Uint8Array(64);
  return folder({
    attestation_type: {
      kind: 'file',
      mode: 0o444,
      read: () => utf8(remaining.faults.attestationType ?? 'dcap'),
    },
    user_report_data: {
      kind: 'file',
      mode: 0o600,
      takesEffectAtClose: true,
      read: () => reportData,
      write: (bytes) => {
        if (bytes.length !== 64) throw new Refusal(errno.EINVAL);
        reportData = Uint8Array.from(bytes);
      },
    },
    quote: {
      kind: 'file',
      mode: 0o444,
      read: () => {
        const { outblob } = remaining.faults;
        const quote = makeQuote(outblob === 'other-data' ? reportData.toReversed() : reportData);
        if (outblob === 'huge') return new Uint8Array(200 * 1024 * 1024);
        return outblob === 'short' ? quote.subarray(0, 100) : quote;
      },
    },
  });
}
