import type { AttestAnswer } from '@ensconce/wire/attestation';
import type { Configuration } from '@ensconce/wire/configuration';
import { encodeFrame } from '@ensconce/wire/frames';

/** On what the configuration rests. */
export interface Grounds {
  /** Evidence of simulated hardware. */
  readonly simulated: boolean;
  /** Nothing: the session asks nobody for evidence. */
  readonly insecure: boolean;
}

/** Answers as they leave. Starts that share a configuration share these bytes as long as they have the same grounds. */
export class Answers {
  readonly #encoded = new WeakMap<Configuration, Grounds & { readonly frame: Buffer }>();

  of(configuration: Configuration, { simulated, insecure }: Grounds): Buffer {
    const known = this.#encoded.get(configuration);
    if (known?.simulated === simulated && known.insecure === insecure) return known.frame;
    const answer: AttestAnswer = {
      type: 'configured',
      configuration,
      simulated,
      ...(insecure && { insecureWithoutEvidence: true }),
    };
    const frame = encodeFrame(answer);
    this.#encoded.set(configuration, { simulated, insecure, frame });
    return frame;
  }
}
