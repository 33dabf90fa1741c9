/** STRUCTURED_REPLY and EXTENDED_HEADERS: the form of replies. */

import { OptionReply } from '../../protocols/nbd/constants.ts';
import { ACK, answer, type OptionRule, refuse } from './option-rules.ts';

export const structuredReplyRule: OptionRule = {
  name: 'STRUCTURED_REPLY',
  takesData: false,
  beforeTls: false,
  run({ agreement }) {
    if (agreement.extendedHeaders) {
      return refuse(OptionReply.errExtHeaderReqd, 'Extended headers are in use already');
    }
    agreement.structuredReplies = true;
    return answer(ACK);
  },
};

export const extendedHeadersRule: OptionRule = {
  name: 'EXTENDED_HEADERS',
  takesData: false,
  beforeTls: false,
  run({ agreement }) {
    agreement.extendedHeaders = true;
    return answer(ACK);
  },
};
