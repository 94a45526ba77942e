// Real public keys, made once with ssh-keygen, and what `ssh-keygen -l` says of them. The private halves were
// thrown away.
#pragma once

namespace gate::test {

struct Fixture {
    const char* line;
    const char* type;
    const char* fingerprint;
};

inline constexpr Fixture k_ed25519 = {
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBVt8oUw8SMrYJa4ZWoype0Qtk+Xi40/7Pyt2DcdtS5l agent@ed25519",
    "ssh-ed25519", "SHA256:cR4NiELuMPZQ8J6ftGYc3FnfwuPfi2fHMQH5VSl9RFE"};
inline constexpr Fixture k_ecdsa256 = {
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBN9Jz5ciUgnUm1JCg/m1ocXu"
    "7kCwQgs3ppJkAYvGVsB9osjLFvAXXQeH0/YNC6KWuM7nSLipijXbKkojgLYqKW0= agent@ecdsab256",
    "ecdsa-sha2-nistp256", "SHA256:7pqDZAnuE0hSjlUYa0tbhZPeVXzL+cWrmi0GGISWQIU"};
inline constexpr Fixture k_ecdsa384 = {
    "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBFnQe/Z4GzKQ4WeP2VPOZR/y"
    "735PnhAoeb1oHApZ+591YfCMaYHZuG8JcJ+WbXjrT2WaJPAEZz5aq9HBQ0/sxTCY0YpGVPFALiDvvuIGfFnLQ0t3e1bZusUc"
    "fUd5qF5bDA== agent@ecdsab384",
    "ecdsa-sha2-nistp384", "SHA256:3SMbkX12+p/q/BKUvF2UAr4nduVzeAbsFOY3hyo+mbM"};
inline constexpr Fixture k_ecdsa521 = {
    "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAGtRAxminwdTy7jHvHXXdeZ"
    "M1CBaUi/tpbpRwXAzipAuGlUBgtyiTyNyAke8fEB+9mcQi0pi3ewjZw90av8zChRpQEgUiZHbdWJiNcXtaG8P5RHGLsnBqJI"
    "yB3xCiA8gSMUbnKZvpsiI+vqJ+jcC4svX0VH+BhIDhLQoqYOlFBNA5EpKg== agent@ecdsab521",
    "ecdsa-sha2-nistp521", "SHA256:Af0REnexRJtMlDQeZZYSn0L3o/fZAxmY/6tsLdKmU5o"};
inline constexpr Fixture k_rsa2048 = {
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCmVdZbQXofkWCp6J8Wy1Fch6IS+vUSY7/WlYYOdVmEIUYsovpM/xqpK4kX"
    "81BJEvBhVH81IHr087FuKtkjQNU7bdI8ysJ3WWgEq85eqm1F7YdGDCtk628YRLb8LRB/4+c5pYQk9QBa3GMsNN3WDUhOiAdU"
    "kG/x3VJOl5skTl9K67vuuHAo6kfFOagpfincWvzzz/ryTZos2TRClt5fJ3JxpfRjGcwg4jKoQIF+6e2YCC8AEt7mpGNGjFdb"
    "DEkB6GWsJJwF4RPJiBFi1cwvX+hHgxbamTnYVzRo7V08Adc0iZUtsQg13T2HbTEUz4zSsBqZ0WTz16aZUArNhBczCEgv age"
    "nt@rsab2048",
    "ssh-rsa", "SHA256:NJ+66Bdlsmpr46NekjV44F5N9YPmzaHrjwzvtcbwp3c"};
inline constexpr Fixture k_rsa1024 = {
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCowL/drSos72ETWlVL05yMliFQmW6Ck8me2C8dGGNxSV5qmF/zgZQKHZoi"
    "SqlfO02uczycJq9lxjOaErMT+dlAsJOpt61SEC6PjQeB/Bk0pakYdOrHv80TiOkW00TwHtDcka1GWO6fIAhgv20g2fOeXLMi"
    "2mCS1qOCTGmoDCqY1w== agent@rsab1024",
    "ssh-rsa", "SHA256:yNJOB9oTbx+fxwBX3xBcu6vHd6q13TdKv55RlXNdk2A"};
inline constexpr Fixture k_dsa = {
    "ssh-dss AAAAB3NzaC1kc3MAAACBAMv/TofBWqD2zs/f0J6qXQCTDAD98TbbnGpV8BEI9JAXRnNcaAa+k06nViRulqCOeNOU"
    "zyaV7/HDhT+h+QKALvnJgYVVlWQ12FUjVRUSMCRXbxyKQAxVqz/joGSwPlAWMeWXLpbciMvm4BUKKvn23yvZvQxfhkm4NXiF"
    "2kkD84gHAAAAFQDkxAgCtsTDEsYtS1Nazh3C2eACHQAAAIBukE1ERNePZOubwThlSSGoOF5jrNz6RwB3ayezz7vMf4DY05AX"
    "fTj8timZRWp9I+oqzd5IWnbpYeE+zFAvXDeFkXYLeQFf0cRnn9/9ccF5z8xxcnKqfQBBZAh//BvcwNB7JbclbgcrxbJ+nqSX"
    "Mq9LTse+lws525zbtOS35TOJAAAAAIEAh18t2t8XCujrAQsBRsbtTGE9bvaQ21P2R2mVdnogD+EZT/dRRYiJErl8x/YX59N1"
    "ZySC7G5Z3f3/8lS/2yIX7txHuaId9HqPxaoQG5odZy0F794Kb+Hu7WJ++YitHSNS/1AFtCCrpOQfc6vf0WawqtOgGfiv5K5p"
    "xe6LpfzciMs= d",
    "ssh-dss", "SHA256:fjkoOFyiGMeWWl0CN4b6dc0VQ2dzlAg6E+dCJljTgG0"};
inline constexpr Fixture k_certificate = {
    "ecdsa-sha2-nistp256-cert-v01@openssh.com AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5"
    "jb20AAAAg+Ui3ofh+3wYmwj154nHxaHtdGdoQSBr+MWbiLK9UgzYAAAAIbmlzdHAyNTYAAABBBN9Jz5ciUgnUm1JCg/m1ocX"
    "u7kCwQgs3ppJkAYvGVsB9osjLFvAXXQeH0/YNC6KWuM7nSLipijXbKkojgLYqKW0AAAAAAAAAAAAAAAEAAAABeAAAAAUAAAA"
    "BcAAAAAAAAAAA//////////8AAAAAAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1"
    "mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQ"
    "tdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACAVbfKFMPEjK2CWuGVqMqXtELZPl4uNP+z8rdg3HbUuZQA"
    "AAFMAAAALc3NoLWVkMjU1MTkAAABA6zLhbzlLMFlNy1EHYbdchOm0X5+cxl2uXfcH1uy1TTmBlNWRlpRVwspcRVkEv3rXPsT"
    "h+Tv03MUsZUe0QzQUAQ== agent@ecdsab256",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com", "SHA256:7pqDZAnuE0hSjlUYa0tbhZPeVXzL+cWrmi0GGISWQIU"};

} // namespace gate::test
