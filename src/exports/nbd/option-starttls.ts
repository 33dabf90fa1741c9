/** STARTTLS. */

import { OptionReply } from '../../protocols/nbd/constants.ts';
import { ACK, type OptionRule, refuse } from './option-rules.ts';

export const startTlsRule: OptionRule = {
  name: 'STARTTLS',
  takesData: false,
  beforeTls: true,
  run(context) {
    if (context.tls) return refuse(OptionReply.errInvalid, 'TLS runs already');
    if (context.tlsMode === 'off') {
      return refuse(OptionReply.errPolicy, 'This server runs without TLS');
    }
    return { next: 'tls', answers: [ACK] };
  },
};
