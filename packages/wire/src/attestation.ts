import * as v from 'valibot';
import { configuration } from './configuration.ts';
import { evidenceFormat } from './evidence-format.ts';

/**
 * The attestation protocol between a service and CAS on port 18765, and, with the roles turned round, between a client
 * and CAS on 8081 (docs/protocol/attestation.md): JSON frames inside TLS 1.3, ALPN {@link attestationProtocol}, both
 * sides with certificates, no resumption and no 0-RTT.
 */
export const attestationProtocol = 'ensconce-attestation/1';
/** Bytes; bounds both directions. */
export const attestationFrameLimit = 16 * 1024 * 1024;

/** UTF-16 units. */
export const maxConfigId = 2048;
export const maxAccessToken = 4096;

/** Takes what `v.base64` takes, three times faster: evidence is long. */
const base64 = v.pipe(
  v.string(),
  v.check((text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text), 'base64 expected'),
);
const nonce = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** First frame, CAS → service: the nonce that the evidence must be bound to. */
export const challenge = v.strictObject({ type: v.literal('challenge'), version: v.literal(1), nonce });
export type Challenge = v.InferOutput<typeof challenge>;

/** Second frame, service → CAS. */
export const attest = v.strictObject({
  type: v.literal('attest'),
  version: v.literal(1),
  /** `session/service` or `session/service@OTP`, from the host. */
  configId: v.pipe(
    v.string(),
    v.maxLength(maxConfigId),
    v.check((text) => text.isWellFormed(), 'Unicode text expected'),
  ),
  serviceAccessToken: v.optional(v.pipe(v.string(), v.maxLength(maxAccessToken))),
  /** This process was configured on an earlier connection, with the same key: it is no new start. */
  again: v.optional(v.literal(true)),
  /** `none` where there is nothing that could make evidence: only sessions that ask for none start then. */
  format: v.picklist([...evidenceFormat.options, 'none']),
  evidence: base64,
  /** The certificate table that an SEV-SNP guest got from its host (GHCB §4.1.8.1), if any. */
  certificates: v.optional(base64),
  description: base64,
});
export type Attest = v.InferOutput<typeof attest>;

/** A refusal: a cause chain, outermost first, a stable code, and whether the same request may succeed later. */
export const refusal = v.strictObject({
  type: v.literal('refused'),
  msg: v.array(v.string()),
  code: v.string(),
  hint: v.optional(v.string()),
  retry: v.boolean(),
  /** By which the operator of CAS finds it in the log. */
  requestId: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/))),
});
export type Refusal = v.InferOutput<typeof refusal>;

/** Third frame, CAS → service. */
export const attestAnswer = v.variant('type', [
  v.strictObject({
    type: v.literal('configured'),
    configuration,
    /** True where simulated hardware attested the service: every output of the runtime then says so. */
    simulated: v.boolean(),
    /** The session asks nobody for evidence (`mode: none`): anybody gets this. */
    insecureWithoutEvidence: v.optional(v.literal(true)),
  }),
  refusal,
]);
export type AttestAnswer = v.InferOutput<typeof attestAnswer>;

/** CAS → service, the last frame: a newer start of the service counts now (`singleton_enclaves`), this one must end. */
export const superseded = v.strictObject({ type: v.literal('superseded') });
export type Superseded = v.InferOutput<typeof superseded>;

/** Service → CAS while the connection lives. */
export const serviceEvent = v.variant('type', [
  v.strictObject({ type: v.literal('started') }),
  v.strictObject({
    type: v.literal('exited'),
    status: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255)),
  }),
]);
export type ServiceEvent = v.InferOutput<typeof serviceEvent>;
