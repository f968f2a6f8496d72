import { parseDescription, type ImageDescription } from '@ensconce/measurement/image';

const capacity = 256;

/** Image descriptions that were read before, by their measurement: that is a hash of all their bytes. */
export class KnownDescriptions {
  /** Most recently used last. */
  readonly #known = new Map<string, ImageDescription>();

  /** `measurement` is that of `encoded`. Throws where the bytes are not of the documented form. */
  read(encoded: Uint8Array, measurement: string): ImageDescription {
    const description = this.#known.get(measurement) ?? parseDescription(encoded);
    this.#known.delete(measurement);
    this.#known.set(measurement, description);
    const [oldest] = this.#known.keys();
    if (this.#known.size > capacity && oldest !== undefined) this.#known.delete(oldest);
    return description;
  }
}
