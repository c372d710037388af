// Imported only when a proxy is used. It is a module of ours because a bundle that imports a CommonJS package at run
// time gets no named exports.
export { ProxyAgent, request } from 'undici';
