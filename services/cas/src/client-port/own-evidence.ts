import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { AttestAnswer } from '@ensconce/api/schema';
import { requestEvidence, type Evidence, type LasAddress } from '@ensconce/las-client/evidence';
import {
  auditKeyReportData,
  exporterLabel,
  exporterSize,
  reportData,
  type Binding,
} from '@ensconce/wire/binding';
import { CasError } from '../errors.ts';
import { Gate } from '../state/gate.ts';

/** Answers `POST /v1/attest` and `POST /v1/audit/attest`; `exporter` is that of the connection the request came over. */
export type OwnEvidence = (
  nonce: Uint8Array,
  exporter: Uint8Array,
  about: 'identity' | 'audit-key',
) => Promise<AttestAnswer>;

/** The keys that CAS can prove to hold, SPKI. */
export interface OwnKeys {
  readonly identity: Uint8Array;
  readonly audit: Uint8Array;
}

export function exporterOf(incoming: IncomingMessage): Uint8Array {
  return (incoming.socket as TLSSocket).exportKeyingMaterial(exporterSize, exporterLabel, Buffer.alloc(0));
}

/** CAS's evidence about itself, made by the LAS for one client's connection and nonce. */
export function ownEvidence(las: LasAddress | undefined, keys: OwnKeys): OwnEvidence {
  const gate = new Gate({ running: 4, waiting: 64 });
  return async (nonce, exporter, about) => {
    if (las === undefined) {
      throw new CasError(
        'CAS_EVIDENCE_UNAVAILABLE',
        'attest: evidence expected, this CAS has no LAS to make any',
        {
          hint: 'start it with --las SOCKET',
        },
      );
    }
    const binding: Binding = {
      role: 'cas-to-client',
      publicKey: keys.identity,
      exporter,
      nonce,
      configId: '',
      casIdentity: keys.identity,
    };
    const data = about === 'identity' ? reportData(binding) : auditKeyReportData(keys.audit, binding);
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
