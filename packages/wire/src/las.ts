import * as v from 'valibot';
import { evidenceFormat } from './evidence-format.ts';

/**
 * The LAS protocol: one request and one answer, each a JSON frame, over a unix socket that is mounted into the
 * container (docs/protocol/las.md). The LAS learns who asks from the kernel (SO_PEERCRED), never from the request.
 */
export const lasFrameLimit = 262_144;

/** Where the LAS socket stands in a confidential container, and by default on the host. */
export const lasSocketPath = '/run/ensconce/las.sock';

const base64 = v.pipe(v.string(), v.maxLength(180_000), v.base64());

export const lasRequest = v.strictObject({
  version: v.literal(1),
  type: v.literal('evidence'),
  reportData: v.pipe(v.string(), v.regex(/^[0-9a-f]{128}$/)),
});
export type LasRequest = v.InferOutput<typeof lasRequest>;

export const lasAnswer = v.variant('type', [
  v.strictObject({
    type: v.literal('evidence'),
    format: evidenceFormat,
    evidence: base64,
    /** The canonical description that was measured, as base64; absent where the hardware measures no description. */
    description: v.optional(base64),
  }),
  v.strictObject({
    type: v.literal('refused'),
    msg: v.array(v.string()),
    code: v.string(),
    hint: v.optional(v.string()),
  }),
]);
export type LasAnswer = v.InferOutput<typeof lasAnswer>;
