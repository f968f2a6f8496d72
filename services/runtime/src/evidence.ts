import { connect } from 'node:net';
import * as v from 'valibot';
import { FrameConnection } from '@ensconce/wire/frames';
import { lasAnswer, lasFrameLimit, type LasRequest } from '@ensconce/wire/las';
import { RuntimeError } from './errors.ts';

export interface Evidence {
  readonly format: 'sgx';
  /** As the hardware gave it. */
  readonly bytes: Buffer;
}

const timeout = 10_000;

/** Has the node's LAS make evidence for this process over 64 bytes of report data. */
export async function makeEvidence(socketPath: string, reportData: Uint8Array): Promise<Evidence> {
  const hint = `start \`ensconce las serve\` on this node and mount its socket into the container`;
  const socket = connect(socketPath);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    }).catch((cause: unknown) => {
      throw new RuntimeError(
        'LAS_UNREACHABLE',
        `LAS: a socket expected at ${socketPath.replace(/^\/host/, '')}, none answers`,
        { cause, hint },
      );
    });
    const frames = new FrameConnection(socket, 'LAS', lasFrameLimit);
    const request: LasRequest = { version: 1, type: 'evidence', reportData: reportData.toHex() };
    frames.send(request);
    const answer = v.parse(lasAnswer, await frames.receive(timeout));
    if (answer.type === 'refused') {
      throw new RuntimeError('LAS_REFUSED', 'the LAS refused to make evidence', {
        cause: new Error(answer.msg.join('; ')),
        hint: answer.hint,
      });
    }
    return { format: answer.format, bytes: Buffer.from(answer.evidence, 'base64') };
  } finally {
    socket.destroy();
  }
}
