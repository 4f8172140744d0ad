import quiche from '@matrixai/quic/native/quiche.js';
import type { Config } from '@matrixai/quic/native/types.js';
import type { ProcessCertificate } from './certificate.ts';
import { TRAFFIC_CLASSES } from './transport.ts';
import { type TransportTuning, WINDOWS } from './tuning.ts';

const ALPN = ['meshproof/1'];
const RECEIVE_DATAGRAM_BYTES = 65_527; // the largest UDP payload: what a peer may send us is its path's business
const SPARE_STREAMS = 4; // for traffic classes that a newer peer may have; it is told by name that we know none of them
const SIGNATURE_ALGORITHMS = 'ed25519:ecdsa_secp256r1_sha256';

/** What differs between ways to a peer. */
interface Way {
  /** The largest packet we send. */
  readonly datagramBytes: number;
  /**
   * Longer round trips end slow start before anything is lost (HyStart++, RFC 9406), or only a loss does. On the loopback
   * interface it is processors that are waited for, never a queue, and the window would stay at its first ten packets.
   */
  readonly slowStartEnds: 'by-delay' | 'by-loss';
}

/** The same TLS and flow control for both roles. */
function buildConfig(
  certificate: ProcessCertificate,
  tuning: TransportTuning,
  { datagramBytes, slowStartEnds }: Way,
): Config {
  const config = quiche.Config.withBoringSslCtx(
    true, // both sides show a certificate
    true, // which nobody but the hello vouches for
    undefined,
    [Buffer.from(certificate.privateKeyPem)],
    [Buffer.from(certificate.certificatePem)],
    SIGNATURE_ALGORITHMS,
  );
  config.setApplicationProtos(ALPN);
  config.grease(true);
  config.setMaxIdleTimeout(tuning.idleTimeoutMs);
  config.setMaxRecvUdpPayloadSize(RECEIVE_DATAGRAM_BYTES);
  config.setMaxSendUdpPayloadSize(datagramBytes);
  config.setInitialMaxData(WINDOWS.initialConnectionBytes);
  config.setInitialMaxStreamDataBidiLocal(WINDOWS.initialStreamBytes);
  config.setInitialMaxStreamDataBidiRemote(WINDOWS.initialStreamBytes);
  config.setInitialMaxStreamDataUni(WINDOWS.initialStreamBytes);
  config.setMaxConnectionWindow(WINDOWS.maxConnectionBytes);
  config.setMaxStreamWindow(WINDOWS.maxStreamBytes);
  config.setInitialMaxStreamsBidi(tuning.streamsPerConnection);
  config.setInitialMaxStreamsUni(TRAFFIC_CLASSES.length + SPARE_STREAMS);
  config.setDisableActiveMigration(true);
  config.enableDgram(false, 0, 0);
  config.enableHystart(slowStartEnds === 'by-delay');
  return config;
}

/** One config for paths over a network, one for the loopback interface, where a packet may be several times as large. */
export interface QuicConfigs {
  readonly network: Config;
  readonly loopback: Config;
}

export function buildQuicConfigs(certificate: ProcessCertificate, tuning: TransportTuning): QuicConfigs {
  return {
    network: buildConfig(certificate, tuning, {
      datagramBytes: tuning.datagramBytes,
      slowStartEnds: 'by-delay',
    }),
    loopback: buildConfig(certificate, tuning, {
      datagramBytes: tuning.loopbackDatagramBytes,
      slowStartEnds: 'by-loss',
    }),
  };
}
