import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { encodeFields } from '@ensconce/base/fields';
import { detectTee } from '@ensconce/tee/detect';
import { openSource } from '@ensconce/tee/open';
import type { EvidenceSource } from '@ensconce/tee/source';
import { RuntimeError } from './errors.ts';

/** Milliseconds for the LAS to measure this process and answer. */
const lasTimeout = 10_000;

/**
 * The way to evidence here: that of the TEE this container runs in, or of the LAS where there is none. Undefined where neither is
 * there: then only a session that asks nobody for evidence is of use. `host` is the container's root as the host laid it out: its
 * word decides who is asked, never what is believed.
 */
export async function findEvidenceSource(
  host: string,
  lasSocket: string,
): Promise<EvidenceSource | undefined> {
  const tee = await detectTee(host);
  if (tee === 'sim' && !existsSync(`${host}${lasSocket}`)) return undefined;
  if (tee === 'sgx') {
    // In an enclave the kernel is the attacker's, and it would see every byte that goes through FUSE.
    throw new RuntimeError('TEE', 'a confidential VM, or simulation, expected; an SGX enclave found', {
      hint: 'inside an enclave only evidence can be made so far; containers cannot be run there',
    });
  }
  return openSource(tee, {
    root: host,
    las: { socket: `${host}${lasSocket}`, timeout: lasTimeout },
  });
}

/** What RTMR3 is extended with before the application starts (docs/formats/measurement.md). */
export function sessionDigest(sessionHash: string): Uint8Array {
  const encoded = encodeFields('ensconce-session-register/1', [Uint8Array.fromHex(sessionHash)]);
  return createHash('sha384').update(encoded).digest();
}
