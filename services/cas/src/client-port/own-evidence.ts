import type { AttestAnswer } from '@ensconce/api/schema';
import { requestEvidence, type Evidence, type LasAddress } from '@ensconce/las-client/evidence';
import { reportData } from '@ensconce/wire/binding';
import { CasError } from '../errors.ts';
import { Gate } from '../state/gate.ts';

/** Answers `POST /v1/attest`; `exporter` is that of the connection it came over. */
export type OwnEvidence = (nonce: Uint8Array, exporter: Uint8Array) => Promise<AttestAnswer>;

/** CAS's evidence about itself, made by the LAS for one client's connection and nonce. `publicKey` is CAS's SPKI. */
export function ownEvidence(las: LasAddress | undefined, publicKey: Uint8Array): OwnEvidence {
  const gate = new Gate({ running: 4, waiting: 64 });
  return async (nonce, exporter) => {
    if (las === undefined) {
      throw new CasError(
        'CAS_EVIDENCE_UNAVAILABLE',
        'attest: evidence expected, this CAS has no LAS to make any',
        {
          hint: 'start it with --las SOCKET',
        },
      );
    }
    const data = reportData({
      role: 'cas-to-client',
      publicKey,
      exporter,
      nonce,
      configId: '',
      casIdentity: publicKey,
    });
    const { format, evidence, description } = await gate.run(() => evidenceOf(las, data));
    if (format !== 'sgx') {
      throw new CasError(
        'CAS_EVIDENCE_UNAVAILABLE',
        `attest: evidence of format sgx expected from the LAS, ${format} found`,
      );
    }
    return {
      format,
      evidence: Buffer.from(evidence).toString('base64'),
      ...(description === undefined ? {} : { description: Buffer.from(description).toString('base64') }),
    };
  };
}

async function evidenceOf(las: LasAddress, data: Uint8Array): Promise<Evidence> {
  try {
    return await requestEvidence(las, data);
  } catch (cause) {
    throw new CasError('CAS_EVIDENCE_UNAVAILABLE', 'attest: evidence expected, the LAS gave none', { cause });
  }
}
