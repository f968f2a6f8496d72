import type { SecretsError } from '@ensconce/secrets/errors';
import { CasError, type CasErrorCode } from '../errors.ts';

/** How a failure of secrets leaves CAS: what may work later says so, everything else is `code`. */
export function secretsFailure(
  error: SecretsError,
  message: string,
  code: CasErrorCode,
  /** What goes out beside the message. */
  cause?: unknown,
): CasError {
  return new CasError(error.code === 'SECRETS_UNAVAILABLE' ? 'CAS_IMPORT_UNAVAILABLE' : code, message, {
    cause,
  });
}
