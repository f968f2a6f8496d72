import assert from 'node:assert/strict';
import { RefusedByCas } from '@ensconce/api/errors';

/** For `assert.rejects`: CAS said no, with this code and, where given, such a message. */
export const refusedWith =
  (reason: string, message?: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof RefusedByCas, String(error));
    assert.equal(error.reason, reason);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  };
