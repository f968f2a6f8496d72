import { InvalidArgumentError } from 'commander';
import { parseAddress, type CasAddress } from '@ensconce/api/address';

/** Reads an option that says where to listen. */
export const listenAddress =
  (defaultPort: number) =>
  (text: string): CasAddress => {
    try {
      return parseAddress(text, defaultPort);
    } catch {
      throw new InvalidArgumentError('ADDRESS:PORT expected, port 0 for any free one.');
    }
  };
