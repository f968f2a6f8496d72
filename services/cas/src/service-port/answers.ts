import type { Configuration } from '@ensconce/wire/configuration';
import { utf8 } from '@ensconce/base/bytes';
import { frameOf } from '@ensconce/wire/frames';
import type { EncodedConfiguration } from '../starts/start-record.ts';

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

  of(configuration: Configuration | EncodedConfiguration, grounds: Grounds): Buffer {
    if ('json' in configuration) return answer(configuration.json, grounds);
    const { simulated, insecure } = grounds;
    const known = this.#encoded.get(configuration);
    if (known?.simulated === simulated && known.insecure === insecure) return known.frame;
    const frame = answer(utf8(JSON.stringify(configuration)), grounds);
    this.#encoded.set(configuration, { simulated, insecure, frame });
    return frame;
  }
}

const before = utf8('{"type":"configured","configuration":');

/** An `AttestAnswer` around a configuration, whose secrets are not read again. */
function answer(configuration: Uint8Array, { simulated, insecure }: Grounds): Buffer {
  const told = JSON.stringify({ simulated, ...(insecure && { insecureWithoutEvidence: true }) });
  return frameOf(before, configuration, utf8(`,${told.slice(1)}`));
}
