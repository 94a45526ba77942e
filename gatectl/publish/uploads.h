// The directories that vsftpd writes uploads into, one for each user who may send by FTP:
//
//   <ftp.directory>              root's, group of account.user, 0751: the sweep sees which there are
//   <ftp.directory>/USER         account.user's, group of ftp.user, 1730: vsftpd may create there, and
//                                neither list nor delete
//   <ftp.directory>/USER/.held   account.user's, 0700: what the sweep puts aside
//
// What lies in USER was put there by others, and account.user itself may put anything there: so nothing below
// <ftp.directory>/USER is followed, taken over or given away. A new directory is made beside, where only root
// can reach it, and renamed into place when it is as it has to be.
#pragma once

#include "gatectl/account.h"
#include "gatectl/context.h"
#include "lib/keyring/policy.h"

namespace gate::ctl {

// Each user has a watch of the sweep; small machines let one user have 8192 (fs.inotify.max_user_watches).
inline constexpr std::size_t k_max_ftp_users = 8000;

// Makes what is missing and sets right what is not so. What cannot be done becomes a remark. Directories of
// users who may not send any more are kept.
void prepare_uploads(Context& context, const keyring::Policy& policy, const Account& account,
                     std::size_t most = k_max_ftp_users);

} // namespace gate::ctl
