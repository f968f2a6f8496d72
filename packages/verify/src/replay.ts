import { concatBytes } from '@ensconce/base/bytes';
import type { CryptoProvider } from '@ensconce/x509/crypto';
import type { TpmHash } from '@ensconce/evidence/tpm/body';

/** Bytes of a register. */
export const registerSizes: Readonly<Record<TpmHash, number>> = {
  sha1: 20,
  sha256: 32,
  sha384: 48,
  sha512: 64,
};

/** One measurement that extended a register. */
export interface Extension {
  readonly index: number;
  readonly digest: Uint8Array;
}

function start(size: number, locality: number): Uint8Array {
  return new Uint8Array(size).with(size - 1, locality);
}

/**
 * The values that registers have after `extensions`, each starting at zero: R ← H(R ‖ digest). A log is believed only as far as its replay
 * gives the value that signed evidence has.
 */
export async function replay(
  crypto: CryptoProvider,
  hash: TpmHash,
  extensions: readonly Extension[],
  /** What the last byte of register 0 starts with. */
  locality = 0,
): Promise<Map<number, Uint8Array>> {
  const registers = new Map<number, Uint8Array>();
  for (const { index, digest } of extensions) {
    const before = registers.get(index) ?? start(registerSizes[hash], index === 0 ? locality : 0);
    registers.set(index, await crypto[hash](concatBytes(before, digest)));
  }
  return registers;
}
