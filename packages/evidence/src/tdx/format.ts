import { quoteTee } from '../intel/body.ts';
import { parseTdxQuote } from './quote.ts';
import type { Format } from '../format.ts';

export const tdxFormat: Format = {
  name: 'tdx',
  recognises: (bytes) => quoteTee(bytes) === 'tdx',
  fields: (bytes) => parseTdxQuote(bytes, 'ignore'),
};
