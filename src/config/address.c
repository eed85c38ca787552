// SPDX-License-Identifier: MIT
/*
 * Addresses to listen on: "unix", "unix:PATH", "tcp:ADDRESS:PORT".
 *
 * Addresses are numeric on purpose (and "localhost", which is 127.0.0.1): a daemon whose listeners
 * depend on a name server starts differently from boot to boot.
 */
#include "config/config_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

static int unix_parse(const char *path, struct config_address *address, const char **why)
{
    if (path[0] != '/') {
        *why = "the path of a Unix socket must be absolute: unix:/run/hilera/hilera.sock";
        return EINVAL;
    }
    if (strlen(path) >= sizeof(address->path)) {
        *why = "the path of a Unix socket can be 107 bytes long at most";
        return EINVAL;
    }
    strcpy(address->path, path);
    address->kind = CONFIG_ADDRESS_UNIX;
    return 0;
}

static bool host_is_numeric(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    char plain[CONFIG_HOST_MAX];
    strcpy(plain, host);
    char *scope = strchr(plain, '%');
    if (scope != NULL)
        *scope = '\0';
    if (inet_pton(AF_INET6, plain, bytes) == 1)
        return scope == NULL || scope[1] != '\0';
    return scope == NULL && inet_pton(AF_INET, plain, bytes) == 1;
}

static int port_parse(const char *text, uint16_t *port)
{
    int64_t number;
    if (value_parse(CONFIG_TYPE_INT, text, &number) != 0 || number > UINT16_MAX)
        return EINVAL;
    *port = (uint16_t)number;
    return 0;
}

/* `text` is what stands behind "tcp:"; the port is behind its last colon, so that an IPv6 address
 * can be told from it only in brackets. */
static int tcp_parse(const char *text, struct config_address *address, const char **why)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || port_parse(colon + 1, &address->port) != 0) {
        *why = "a TCP address ends in a port from 0 to 65535: tcp:127.0.0.1:11300";
        return EINVAL;
    }
    size_t len = (size_t)(colon - text);
    bool brackets = len >= 2 && text[0] == '[' && colon[-1] == ']';
    if (brackets) {
        text++;
        len -= 2;
    }
    *why = "a TCP address is numeric: tcp:127.0.0.1:11300 or tcp:[::1]:11300";
    if (len >= sizeof(address->host))
        return EINVAL;
    memcpy(address->host, text, len);
    address->host[len] = '\0';
    if (strcmp(address->host, "localhost") == 0)
        strcpy(address->host, "127.0.0.1");
    if (!host_is_numeric(address->host) || (strchr(address->host, ':') != NULL) != brackets)
        return EINVAL;
    address->kind = CONFIG_ADDRESS_TCP;
    return 0;
}

bool config_address_is_local(const struct config_address *address)
{
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (address->kind == CONFIG_ADDRESS_UNIX)
        return true;
    if (inet_pton(AF_INET, address->host, &ipv4) == 1)
        return ntohl(ipv4.s_addr) >> 24 == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, address->host, &ipv6) != 1)
        return false; /* with a scope: of a link */
    return IN6_IS_ADDR_LOOPBACK(&ipv6) ||
           (IN6_IS_ADDR_V4MAPPED(&ipv6) && ipv6.s6_addr[12] == IN_LOOPBACKNET);
}

int config_address_parse(const char *text, struct config_address *address, const char **why)
{
    struct config_address parsed = {.kind = CONFIG_ADDRESS_UNIX};
    int rc = 0;
    if (strncmp(text, "unix:", 5) == 0) {
        rc = unix_parse(text + 5, &parsed, why);
    } else if (strncmp(text, "tcp:", 4) == 0) {
        rc = tcp_parse(text + 4, &parsed, why);
    } else if (strcmp(text, "unix") != 0) {
        *why = "an address is unix, unix:PATH or tcp:ADDRESS:PORT";
        rc = EINVAL;
    }
    if (rc == 0)
        *address = parsed;
    return rc;
}
