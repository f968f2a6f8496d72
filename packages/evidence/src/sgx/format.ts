import { quoteTee } from '../intel/body.ts';
import { parseSgxQuote } from './quote.ts';
import type { Format } from '../format.ts';

export const sgxFormat: Format = {
  name: 'sgx',
  recognises: (bytes) => quoteTee(bytes) === 'sgx',
  fields: (bytes) => parseSgxQuote(bytes, 'ignore'),
};
