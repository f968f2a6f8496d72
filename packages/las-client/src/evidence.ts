import { connect } from 'node:net';
import * as v from 'valibot';
import { toHex } from '@ensconce/base/bytes';
import { EnsconceError } from '@ensconce/base/errors';
import { describeIssue } from '@ensconce/base/issue';
import type { EvidenceFormat } from '@ensconce/wire/evidence-format';
import { FrameConnection } from '@ensconce/wire/frames';
import { lasAnswer, lasFrameLimit, type LasRequest } from '@ensconce/wire/las';

export type LasClientErrorCode = 'LAS_UNREACHABLE' | 'LAS_REFUSED' | 'LAS_ANSWER';

/** The LAS gave no evidence. The LAS is untrusted: whatever it says is only good for a log. */
export class LasClientError extends EnsconceError<LasClientErrorCode> {}

/** Evidence as the LAS handed it over; nothing of it is verified. */
export interface Evidence {
  readonly format: EvidenceFormat;
  readonly evidence: Uint8Array;
  /** The canonical image description that the hardware measured, where it measures one. */
  readonly description: Uint8Array | undefined;
}

const longestReason = 2000;

export interface LasAddress {
  /** Path of the unix socket, usually `lasSocketPath` of @ensconce/wire/las. */
  readonly socket: string;
  /** Milliseconds until the whole exchange is given up. */
  readonly timeout: number;
}

/** Asks the LAS for evidence about this process over 64 bytes of report data (docs/protocol/las.md). */
export async function requestEvidence(las: LasAddress, reportData: Uint8Array): Promise<Evidence> {
  if (reportData.length !== 64) throw new RangeError('report data: 64 bytes expected');
  const socket = connect(las.socket);
  const frames = new FrameConnection(socket, 'LAS', lasFrameLimit);
  try {
    frames.send({
      version: 1,
      type: 'evidence',
      reportData: toHex(reportData),
    } satisfies LasRequest);
    const parsed = v.safeParse(lasAnswer, await frames.receive(las.timeout));
    if (!parsed.success) {
      throw new LasClientError(
        'LAS_ANSWER',
        `LAS: evidence or a refusal expected; ${describeIssue(parsed.issues[0])}`,
      );
    }
    const answer = parsed.output;
    if (answer.type === 'refused') {
      throw new LasClientError('LAS_REFUSED', `LAS: evidence expected, a refusal found (${answer.code})`, {
        cause: answer.msg.join(': ').slice(0, longestReason),
        hint: answer.hint,
      });
    }
    return {
      format: answer.format,
      evidence: Buffer.from(answer.evidence, 'base64'),
      description: answer.description === undefined ? undefined : Buffer.from(answer.description, 'base64'),
    };
  } catch (cause) {
    if (cause instanceof LasClientError) throw cause;
    throw new LasClientError('LAS_UNREACHABLE', `LAS: an answer expected at ${las.socket}, none came`, {
      cause,
      hint: 'start a LAS on this machine (ensconce las serve), and mount its socket into the container',
    });
  } finally {
    frames.close();
  }
}
