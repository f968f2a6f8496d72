import {
  approval,
  approvalGiven,
  deletionProposal,
  pendingUpdates,
  proposal,
  vetoGiven,
} from '../approval.ts';
import { route } from '../route.ts';
import { hash, requestLimit, sessionName } from '../schema.ts';

const approvers = 'whose key the rule names; the signature says who that is';

export const proposeSession = route({
  method: 'POST',
  path: '/v1/approvals',
  summary: 'Proposes a session or an update for which CAS shall collect signatures',
  description:
    'It counts as soon as the signatures satisfy `update` of the present version, or `create_sessions` of the namespace.',
  who: 'whose key `update` or `read` of the present version names, or of the version that was deleted; for a new session, `create_sessions` or `list_sessions` of the namespace, and at top level who owns this CAS',
  access: 'identified',
  body: { types: ['application/json'], schema: proposal, limit: 2 * requestLimit },
  answers: { 202: { meaning: 'pending', schema: approval } },
  errors: [
    'CAS_SESSION_FORBIDDEN',
    'CAS_SESSION_NOT_FOUND',
    'CAS_PREDECESSOR_MISMATCH',
    'CAS_SESSION_INVALID',
    'CAS_APPROVALS_FULL',
    'CAS_SESSIONS_FULL',
  ],
});

export const proposeDeletion = route({
  method: 'POST',
  path: '/v1/deletions/{name}',
  summary: 'Proposes that a session be deleted, for which CAS shall collect signatures',
  description:
    'It counts as soon as the signatures satisfy `delete` in `ensconce` of the session; without it, `update`.',
  who: 'whose key that rule or `read` names',
  access: 'identified',
  parameters: { name: sessionName },
  body: { types: ['application/json'], schema: deletionProposal, limit: 65_536 },
  answers: { 202: { meaning: 'pending', schema: approval } },
  errors: ['CAS_SESSION_NOT_FOUND', 'CAS_SESSION_DELETED', 'CAS_PREDECESSOR_MISMATCH', 'CAS_APPROVALS_FULL'],
});

export const readApprovals = route({
  method: 'GET',
  path: '/v1/approvals/{name}',
  summary:
    'What is pending of a session, updates and its deletion: what it changes, who signed, who has yet to',
  who: 'who may read the session (of a new one: list the namespace), and whose key the rule names, for what that rule decides',
  access: 'policy',
  parameters: { name: sessionName },
  answers: { 200: { meaning: 'what is pending', schema: pendingUpdates } },
  errors: ['CAS_SESSION_NOT_FOUND'],
});

export const approveSession = route({
  method: 'POST',
  path: '/v1/approvals/{name}',
  summary: 'Adds a signature to a pending update or deletion; the last that is needed makes it count',
  who: approvers,
  access: 'policy',
  parameters: { name: sessionName },
  body: { types: ['application/json'], schema: approvalGiven, limit: 65_536 },
  answers: { 200: { meaning: 'where it stands', schema: approval } },
  errors: [
    'CAS_SESSION_NOT_FOUND',
    'CAS_SIGNATURE_INVALID',
    'CAS_SESSION_INVALID',
    'CAS_PREDECESSOR_MISMATCH',
    'CAS_SESSIONS_FULL',
  ],
});

export const vetoSession = route({
  method: 'POST',
  path: '/v1/vetoes/{name}',
  summary:
    'Says no to a pending update or deletion; it is dropped once the rule cannot be satisfied without who said no',
  description: 'A veto is final: whoever gave one cannot approve the same change later.',
  who: approvers,
  access: 'policy',
  parameters: { name: sessionName },
  body: { types: ['application/json'], schema: vetoGiven, limit: 65_536 },
  answers: { 200: { meaning: 'where it stands', schema: approval } },
  errors: ['CAS_SESSION_NOT_FOUND', 'CAS_SIGNATURE_INVALID'],
});

export const withdrawSession = route({
  method: 'DELETE',
  path: '/v1/approvals/{name}',
  summary: 'Takes a proposal back',
  who: 'who proposed it',
  access: 'identified',
  parameters: { name: sessionName },
  query: { hash },
  answers: { 200: { meaning: 'what is still pending', schema: pendingUpdates } },
  errors: ['CAS_SESSION_NOT_FOUND'],
});
