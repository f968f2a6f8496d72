import type { InsecurePermissions } from './permissions.ts';

const authority = Symbol('without evidence');

/**
 * Stands where an accepted appraisal would: the session asks for no evidence, and whoever started this CAS allows that. Only
 * {@link withoutEvidence} makes one.
 */
export class InsecureWithoutEvidence {
  readonly #allowed: boolean;

  constructor(key: symbol) {
    if (key !== authority) throw new TypeError('only withoutEvidence() makes these');
    this.#allowed = true;
    Object.freeze(this);
  }

  static is(value: unknown): value is InsecureWithoutEvidence {
    return typeof value === 'object' && value !== null && #allowed in value && value.#allowed;
  }
}

/** Undefined where CAS may not do without. */
export function withoutEvidence(permissions: InsecurePermissions): InsecureWithoutEvidence | undefined {
  return permissions.modeNone ? new InsecureWithoutEvidence(authority) : undefined;
}
