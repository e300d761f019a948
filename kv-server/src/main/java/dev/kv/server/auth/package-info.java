/** Who may enter the door: the password, and the login of one client. Both protocols share it. */
package dev.kv.server.auth;
