/**
 * Stands for places of a node that cannot be chosen: the port of pod identity's NMI, the directory of the service account,
 * and the file that names the name servers. Node loads it into the provider before the program.
 */
const fs = require('node:fs/promises');
const net = require('node:net');

const { FAULTS_NMI_PORT, FAULTS_SERVICE_ACCOUNT_DIR, FAULTS_RESOLV_CONF } = process.env;
const NMI_PORT = 2579;

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : args;
  if (Number(options?.port) !== NMI_PORT) return connect.apply(this, args);
  // The agent counts its connections by the port that it asked for.
  options.port = Number(FAULTS_NMI_PORT);
  try {
    return connect.apply(this, args);
  } finally {
    options.port = NMI_PORT;
  }
};

const { realpath } = fs;
fs.realpath = (path, ...rest) => {
  const place = String(path)
    .replace('/var/run/secrets/kubernetes.io/serviceaccount', FAULTS_SERVICE_ACCOUNT_DIR)
    .replace('/etc/resolv.conf', FAULTS_RESOLV_CONF);
  return realpath(place, ...rest);
};
