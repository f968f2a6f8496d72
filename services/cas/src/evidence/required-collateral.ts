import { hash } from 'node:crypto';
import { EvidenceError } from '@ensconce/evidence/errors';
import { parseSgxQuote } from '@ensconce/evidence/sgx/quote';
import { parseTdxQuote } from '@ensconce/evidence/tdx/quote';
import { requiredIntelCollateral, type RequiredIntelCollateral } from '@ensconce/verify/intel/required';

const capacity = 1024;

/**
 * Which collateral quotes take, remembered by the digest of the certificates they carry: all quotes of a platform carry
 * the same, and reading certificates costs more than anything else about a quote but its signature.
 */
export class RequiredCollateral {
  /** Most recently used last. */
  readonly #known = new Map<string, RequiredIntelCollateral>();

  /** Undefined where the quote, which is the attacker's, does not say or cannot be read. */
  of(bytes: Uint8Array, tee: 'sgx' | 'tdx'): RequiredIntelCollateral | undefined {
    try {
      const quote = tee === 'sgx' ? parseSgxQuote(bytes, 'ignore') : parseTdxQuote(bytes, 'ignore');
      const { certification } = quote.authentication;
      if (certification.type !== 5) return requiredIntelCollateral(quote);
      const key = `${tee} ${hash('sha256', certification.bytes, 'base64')}`;
      const required = this.#known.get(key) ?? requiredIntelCollateral(quote);
      if (required !== undefined) this.#remember(key, required);
      return required;
    } catch (error) {
      if (error instanceof EvidenceError) return undefined;
      throw error;
    }
  }

  #remember(key: string, required: RequiredIntelCollateral): void {
    this.#known.delete(key);
    this.#known.set(key, required);
    const [oldest] = this.#known.keys();
    if (this.#known.size > capacity && oldest !== undefined) this.#known.delete(oldest);
  }
}
