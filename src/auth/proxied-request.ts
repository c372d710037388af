// Imported when a proxy is used. In a module of ours, because what a bundle imports at run time of a CommonJS package has no names.
export { ProxyAgent, request } from 'undici';
