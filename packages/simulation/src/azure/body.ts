import { utf8 } from '@ensconce/base/bytes';
import type { SimulatedKey } from '../key.ts';

/** What Azure's paravisor writes beside the hardware's report: the vTPM's keys, as JSON. */
export function encodeRuntimeData(key: SimulatedKey, userData: Uint8Array = new Uint8Array(64)): Uint8Array {
  const { n = '', e = '' } = key.publicKey.export({ format: 'jwk' });
  const rsa = (kid: string, operation: string): object => ({ kid, key_ops: [operation], kty: 'RSA', e, n });
  return utf8(
    JSON.stringify({
      keys: [rsa('HCLAkPub', 'sign'), rsa('HCLEkPub', 'encrypt')],
      'vm-configuration': { 'secure-boot': true, 'tpm-enabled': true, vmUniqueId: 'SIMULATED' },
      'user-data': userData.toHex().toUpperCase(),
    }),
  );
}
