import { EnsconceError } from '@ensconce/base/errors';

export type X509ErrorCode =
  /** Bytes that are not DER, or not the DER that belongs here. */
  | 'X509_DER'
  /** Text that is not PEM. */
  | 'X509_PEM'
  /** A certificate or revocation list whose fields contradict RFC 5280. */
  | 'X509_STRUCTURE'
  /** A signature or key algorithm that is not supported. */
  | 'X509_ALGORITHM'
  /** Certificates that do not form one line from a leaf to a self-signed root. */
  | 'X509_CHAIN'
  /** A public key that cannot be used: not on its curve, wrong length. */
  | 'X509_KEY'
  /** More bytes or entries than a reader accepts. */
  | 'X509_SIZE';

/** A certificate, revocation list, or part of one, that cannot be read or used. */
export class X509Error extends EnsconceError<X509ErrorCode> {}
