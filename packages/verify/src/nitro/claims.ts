import { isZero, toHex } from '@ensconce/base/bytes';
import type { NitroBody } from '@ensconce/evidence/nitro/body';

export interface NitroClaims {
  readonly tee: 'nitro';
  /** PCR0 is zero: the enclave was started in debug mode. */
  readonly debug: boolean;
  readonly moduleId: string;
  /** ISO 8601: when the document was made, by the hypervisor's clock. */
  readonly timestamp: string;
  /** By index; zero PCRs are left out, but for 0 to 2. */
  readonly pcrs: Readonly<Record<string, string>>;
  /** The enclave's user data; empty where there is none. */
  readonly reportData: string;
  readonly nonce: string | null;
  readonly publicKey: string | null;
}

export function nitroClaims(body: NitroBody): NitroClaims {
  const pcrs = [...body.pcrs].filter(([index, value]) => index < 3 || !isZero(value));
  const pcr0 = body.pcrs.get(0);
  return {
    tee: 'nitro',
    debug: pcr0 === undefined || isZero(pcr0),
    moduleId: body.moduleId,
    timestamp: new Date(body.timestamp).toISOString(),
    pcrs: Object.fromEntries(pcrs.map(([index, value]) => [String(index), toHex(value)])),
    reportData: body.userData === null ? '' : toHex(body.userData),
    nonce: body.nonce === null ? null : toHex(body.nonce),
    publicKey: body.publicKey === null ? null : toHex(body.publicKey),
  };
}
