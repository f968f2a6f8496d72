import { timingSafeEqual } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { ClientChallenge, ClientEvidence, ClientAttested } from '@ensconce/api/schema';
import { fromHex, toHex } from '@ensconce/base/bytes';
import { CollateralError } from '@ensconce/collateral/errors';
import type { WatermarkStore } from '@ensconce/collateral/watermarks';
import type { Verdict } from '@ensconce/verify/verdict';
import { exporterLabel, exporterSize, nonceSize, reportData } from '@ensconce/wire/binding';
import { subjectPublicKeyInfo } from '@ensconce/x509/spki';
import { codeOf } from '../audit/attested-evidence.ts';
import { CasError, publicError } from '../errors.ts';
import type { EvidenceVerifier } from '../evidence/verifier.ts';
import { appraiseService } from '../service-port/appraise.ts';
import { checkFormat } from '../service-port/attest-service.ts';
import { genuineClaims, type ServiceClaims } from '../service-port/genuine.ts';
import type { InsecurePermissions } from '../service-port/permissions.ts';
import type { ClientIdentity } from '../sessions/session-access.ts';
import { Gate } from '../state/gate.ts';
import type { State } from '../state/state.ts';
import type { Random } from '../store/record-cipher.ts';
import type { ClientPolicy } from './client-policy.ts';

export interface AttestedClientsContext {
  /** Undefined where clients need no evidence. */
  readonly policy: ClientPolicy | undefined;
  readonly permissions: InsecurePermissions;
  readonly state: State;
  readonly verifier: EvidenceVerifier;
  readonly watermarks: WatermarkStore;
  readonly random: Random;
  readonly now: () => Date;
  readonly markSimulated: () => Promise<void>;
}

/** Which connections of the client port have proved what code holds their other end. A verdict ends with its connection. */
export class AttestedClients {
  readonly #context: AttestedClientsContext;
  /** Single use. */
  readonly #nonces = new WeakMap<TLSSocket, Uint8Array>();
  readonly #attested = new WeakSet<TLSSocket>();
  readonly #gate = new Gate({ running: 4, waiting: 64 });

  constructor(context: AttestedClientsContext) {
    this.#context = context;
  }

  challenge(socket: TLSSocket): ClientChallenge {
    const nonce = this.#context.random(nonceSize);
    this.#nonces.set(socket, nonce);
    return { required: this.#context.policy !== undefined, nonce: toHex(nonce) };
  }

  /** Throws unless evidence has held on this connection, where it is required. */
  require(socket: TLSSocket): void {
    if (this.#context.policy === undefined || this.#attested.has(socket)) return;
    throw new CasError('CAS_CLIENT_UNATTESTED', 'request: an attested client expected, none found', {
      hint: 'this CAS asks its clients for evidence: set ENSCONCE_LAS to the socket of the LAS of this machine',
    });
  }

  async attest(
    socket: TLSSocket,
    identity: ClientIdentity,
    message: ClientEvidence,
  ): Promise<ClientAttested> {
    const { state } = this.#context;
    const who = { identity: identity.keyHash ?? null };
    try {
      const { verdict, claims } = await this.#gate.run(() => this.#judge(socket, message));
      if (verdict.simulated) await this.#context.markSimulated();
      await state.audit.append(
        { type: 'Client attested', ...who, tee: claims.tee, ...codeOf(claims), simulated: verdict.simulated },
        state.store.sequence,
      );
      this.#attested.add(socket);
      return { attested: true, simulated: verdict.simulated };
    } catch (error) {
      const { code, msg } = publicError(error);
      await state.audit.note({ type: 'Client refused', ...who, code, reason: msg }, state.store.sequence);
      throw error;
    }
  }

  async #judge(
    socket: TLSSocket,
    message: ClientEvidence,
  ): Promise<{ readonly verdict: Verdict; readonly claims: ServiceClaims }> {
    const { policy, permissions, state } = this.#context;
    const certificate = socket.getPeerX509Certificate();
    const nonce = this.#nonces.get(socket);
    this.#nonces.delete(socket);
    if (policy === undefined) {
      throw new CasError(
        'CAS_REQUEST_INVALID',
        'attest-client: no evidence expected by this CAS, some found',
      );
    }
    if (certificate === undefined || nonce === undefined) {
      throw new CasError(
        'CAS_REQUEST_INVALID',
        'attest-client: a challenge on this connection expected first',
        {
          hint: 'GET /v1/attest-client gives one; it is good once',
        },
      );
    }
    const expected = reportData({
      role: 'client-to-cas',
      publicKey: subjectPublicKeyInfo(certificate.raw),
      exporter: socket.exportKeyingMaterial(exporterSize, exporterLabel, Buffer.alloc(0)),
      nonce,
      configId: '',
      casIdentity: state.identity.publicKey,
    });
    const verdict = await this.#verified(message);
    const claims = genuineClaims(verdict, message.format);
    if (!timingSafeEqual(fromHex(claims.reportData, 64), expected)) {
      throw new CasError(
        'CAS_BINDING_MISMATCH',
        'evidence: report data of this connection, key, challenge and CAS expected, other data found',
      );
    }
    // A guest is launched for one CAS and one service, which must be the one that clients are held against.
    const exchange = { reportData: expected, casIdentity: state.identity.hash };
    const { appraisal } = appraiseService(policy.resolved, policy.service, verdict, exchange, permissions);
    if (!appraisal.accepted || !appraisal.reportDataChecked || !appraisal.identityChecked) {
      throw new TypeError('an accepted appraisal of program and connection expected');
    }
    return { verdict, claims };
  }

  async #verified(message: ClientEvidence): Promise<Verdict> {
    checkFormat(message);
    const { format, evidence, certificates } = message;
    const { verifier, watermarks, now } = this.#context;
    try {
      return await verifier.verify({
        format,
        evidence: Buffer.from(evidence, 'base64'),
        certificates: certificates === undefined ? undefined : Buffer.from(certificates, 'base64'),
        now: now(),
        watermarks,
      });
    } catch (cause) {
      if (!(cause instanceof CollateralError)) throw cause;
      throw new CasError('CAS_EVIDENCE_UNDECIDED', 'DCAP quote verification could not be completed', {
        cause,
      });
    }
  }
}
