/** The application environment: the layers of the configuration, and how a module reads its part of them. */
package dev.kv.router.config;
